import type { BareAnswer, BareRequest } from '../bare-http.ts';
import { type Child, startChild } from '../child.ts';
import type { BenchModel } from '../models.ts';
import { type BenchDialect, makePayload, type Payload } from '../payload.ts';
import { type Side, startOurs, startPeer } from '../sides.ts';
import type { LimitOptions } from './options.ts';
import type { PlainExpressRequest } from './plain-express.ts';
import { bareHttp, EXPRESS, ours, PAGE_OPEN } from './samples.ts';

/** Starts all servers to be measured; `started` holds what must be stopped, also when one of them fails. */
export async function startSides(model: BenchModel, options: LimitOptions, started: Side[]): Promise<Side[]> {
  const sides: Side[] = [];
  const add = (...added: readonly Side[]): void => void sides.push(...added);
  const start = async (starting: Promise<Side>): Promise<Side> => {
    const side = await starting;
    started.push(side);
    return side;
  };
  const builds = [
    { name: 'carpool', cli: undefined },
    ...(options.base === undefined ? [] : [{ name: 'base', cli: options.base }]),
  ];
  for (const lanes of options.sides.includes('ours') ? options.lanes : [])
    for (const { name, cli } of builds) {
      const environment = { LANES: String(lanes), LANE_THREADS: '1' };
      const { modelOptions } = options;
      const server = await start(startOurs(model, { dialect: 'oip-json', modelOptions, environment, cli }));
      for (const dialect of options.dialects) {
        const side = sideOfDialect(server, model, dialect, ours(dialect, lanes, name));
        add(side);
        if (options.page) add({ ...side, name: side.name + PAGE_OPEN, isWatched: true });
      }
    }
  if (options.sides.includes('http'))
    for (const dialect of options.dialects) add(await start(startBareHttp(model, dialect, sides)));
  if (options.sides.includes('express')) add(await start(startExpress(model)));
  const payload = makePayload(model, 'oip-json');
  for (const peer of options.peers) {
    const side = await start(startPeer(peer, { payload, modelFile: model.file }));
    // Its pid is the shell's, whose main thread does nothing.
    add({
      ...side,
      pid: undefined,
      name: `peer ${side.name}${peer.contentType === undefined ? '' : `, ${peer.contentType}`}`,
    });
  }
  return sides;
}

function sideOfDialect(server: Side, model: BenchModel, dialect: BenchDialect, name: string): Side {
  return { ...server, name, target: { ...server.target, payload: makePayload(model, dialect) } };
}

/** Its reply is as long as what our server answers to the same request; without our server, nothing of the same size is known. */
async function startBareHttp(model: BenchModel, dialect: BenchDialect, sides: readonly Side[]): Promise<Side> {
  const payload = makePayload(model, dialect);
  const example = sides.find(({ name }) => name.startsWith(`carpool ${dialect}`));
  if (example === undefined) throw new Error('--sides: http needs ours, for the size of its replies');
  const { path, headers, body } = payload;
  const response = await fetch(`http://127.0.0.1:${example.target.port}${path}`, {
    method: 'POST',
    headers,
    body: new Uint8Array(body),
  });
  const reply = Buffer.from(await response.arrayBuffer());
  if (!response.ok) throw new Error(`${example.name} answers ${response.status}: ${reply.toString()}`);
  const child: Child<BareRequest, BareAnswer> = startChild('./bare-http.js', []);
  const { port } = await child.ask({ status: 200, bytes: reply.byteLength });
  return sideOf(bareHttp(dialect), child, { port, payload });
}

async function startExpress(model: BenchModel): Promise<Side> {
  const child: Child<PlainExpressRequest, { port: number }> = startChild('./limit/plain-express.js', []);
  const { port } = await child.ask({ file: model.file });
  return sideOf(EXPRESS, child, { port, payload: makePayload(model, 'oip-json') });
}

function sideOf(
  name: string,
  child: Pick<Child<object, unknown>, 'pid' | 'stop'>,
  target: { readonly port: number; readonly payload: Payload },
): Side {
  const { pid } = child;
  return {
    name,
    target,
    healthPath: '/',
    pid,
    pids: () => [pid],
    runs: () => Promise.resolve(undefined),
    stop: () => child.stop(),
  };
}
