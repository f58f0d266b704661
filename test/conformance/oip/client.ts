import { ask, post, type Answer, type RequestBody, type TestServer } from '../../http/in-process.ts';

/** The Open Inference Protocol as its clients (tritonclient, perf_analyzer) use it, for the tests of this folder. */

export interface Output {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly unknown[];
}

export function outputsOf({ json }: Answer): readonly Output[] {
  return (json as { outputs: Output[] }).outputs;
}

/** A request of the shipped model `square`, for numbers as a list of FP64. */
export function square(data: readonly number[], rest: object = {}): object {
  return { inputs: [{ name: 'x', shape: [data.length], datatype: 'FP64', data }], ...rest };
}

export function get(server: TestServer, path: string): Promise<Answer> {
  return ask(server.url + path);
}

export function send(
  server: TestServer,
  path: string,
  { body, headers = {} }: { readonly body: RequestBody; readonly headers?: Record<string, string> },
): Promise<Answer> {
  return post(server.url + path, body, headers);
}

export function infer(server: TestServer, model: string, body: unknown): Promise<Answer> {
  return send(server, `/v2/models/${model}/infer`, { body: JSON.stringify(body) });
}
