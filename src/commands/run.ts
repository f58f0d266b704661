import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { readCommand } from '../config/command.ts';
import type { Config } from '../config/options.ts';
import { messageOf } from '../errors.ts';
import { createLogs } from '../log.ts';
import { exitCodeOf } from '../signals.ts';
import { readOrTell, refuse, stopOnSignal } from './host.ts';
import { RUN } from './specs.ts';
import { statusLine } from './status-line.ts';

/** `carpool run`: one model, asked from the terminal, by a server on this machine that ends with it. */

interface RunFlags {
  readonly model: string;
  readonly input: string | undefined;
  readonly json: boolean;
  /** The other flags, which are of the configuration. */
  readonly rest: readonly string[];
}

/** What a command line asks for, or what is wrong with it. */
function runFlags(argv: readonly string[]): RunFlags | { readonly problem: string } {
  const line = readCommand(RUN, argv);
  if ('problem' in line) return line;
  const [model, input, ...others] = line.operands;
  if (model === undefined) return { problem: 'Name a model; carpool list shows them' };
  if (others.length > 0) return { problem: 'Put the text in quotes' };
  // A server of its own, for this model and this machine alone.
  const rest = [...line.rest, `--models=${model}`, '--host=127.0.0.1', '--port=0', '--probe-port=-1'];
  return { model, input, json: line.values['json'] === 'true', rest };
}

interface RunHost {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly signal: AbortSignal;
}

/** `carpool run`. */
export async function run(argv: readonly string[]): Promise<void> {
  const flags = runFlags(argv);
  if ('problem' in flags) {
    refuse(flags.problem, RUN);
    return;
  }
  const config = readOrTell(flags.rest);
  if (config === undefined) return;
  const stop = stopOnSignal();
  const { stdin, stdout, stderr } = process;
  try {
    await ask(config, flags, { stdin, stdout, stderr, signal: stop.signal });
  } catch (error) {
    if (stop.by === undefined) console.error(messageOf(error));
    process.exit(stop.by === undefined ? 1 : exitCodeOf(stop.by));
  }
  process.exit(stop.by === undefined ? 0 : exitCodeOf(stop.by));
}

/** Runs a model. Throws a StartError if it cannot be loaded, and a plain Error with the answer of a request that was refused. */
async function ask(config: Config, flags: RunFlags, host: RunHost): Promise<void> {
  const { startServer } = await import('../lifecycle.ts');
  const server = await startServer(config, createLogs({ level: 'silent', pretty: false }));
  try {
    await loaded(server.started, flags.model, host);
    const asked = new Asked({ url: `http://127.0.0.1:${server.port}`, ...flags }, host);
    const isChat = (await asked.task()) === 'chat';
    if (!isChat) host.stdout.write(`${await asked.predict(flags.input ?? '')}\n`);
    else if (flags.input === undefined) await converse(asked, host);
    else await asked.chat([{ role: 'user', content: flags.input }]);
  } finally {
    await server.drain();
  }
}

/** Waits for a model, and tells a person so: the weights of a chat model take seconds. */
async function loaded(started: Promise<void>, model: string, { stderr }: RunHost): Promise<void> {
  const status = statusLine(stderr);
  status.show(`loading ${model} ...`);
  try {
    await started;
  } finally {
    status.clear();
  }
}

interface Message {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

async function converse(asked: Asked, { stdin, stderr, signal }: RunHost): Promise<void> {
  const isTyped = stdin.isTTY;
  const prompt = (): boolean => isTyped && stderr.write('> ');
  const messages: Message[] = [];
  prompt();
  for await (const line of createInterface({ input: stdin, signal })) {
    if (line.trim() !== '') {
      messages.push({ role: 'user', content: line });
      messages.push({ role: 'assistant', content: await asked.chat(messages) });
    }
    prompt();
  }
}

/** The server, as its client. */
class Asked {
  readonly #url: string;
  readonly #model: string;
  readonly #json: boolean;
  readonly #host: RunHost;

  constructor({ url, model, json }: { url: string; model: string; json: boolean }, host: RunHost) {
    this.#url = url;
    this.#model = model;
    this.#json = json;
    this.#host = host;
  }

  async task(): Promise<string> {
    const response = await this.#ask(`/v1/models/${this.#model}`);
    return ((await response.json()) as { task: string }).task;
  }

  /** The answer of the native API, as text. */
  async predict(input: string): Promise<string> {
    const response = await this.#ask(`/predict/${this.#model}`, await bodyOf(input));
    return response.text();
  }

  /** Prints the answer as it is written, and returns it. */
  async chat(messages: readonly Message[]): Promise<string> {
    const { stdout } = this.#host;
    if (this.#json) return this.#chatInJson(messages);
    const body = JSON.stringify({ model: this.#model, messages, stream: true });
    const response = await this.#ask('/v1/chat/completions', { headers: JSON_TYPE, body });
    let text = '';
    for await (const line of linesOf(response)) {
      const data = line.startsWith('data: ') ? line.slice('data: '.length) : '[DONE]';
      if (data === '[DONE]') continue;
      const { choices = [], error } = JSON.parse(data) as Chunk;
      if (error !== undefined) throw new Error(error.message);
      const piece = choices[0]?.delta?.content ?? '';
      stdout.write(piece);
      text += piece;
    }
    stdout.write('\n');
    return text;
  }

  async #chatInJson(messages: readonly Message[]): Promise<string> {
    const body = JSON.stringify({ model: this.#model, messages });
    const text = await (await this.#ask('/v1/chat/completions', { headers: JSON_TYPE, body })).text();
    this.#host.stdout.write(`${text}\n`);
    const { choices = [] } = JSON.parse(text) as { choices?: readonly { message?: { content?: string | null } }[] };
    return choices[0]?.message?.content ?? '';
  }

  async #ask(
    where: string,
    post?: { headers: Readonly<Record<string, string>>; body: string | Uint8Array<ArrayBuffer> },
  ): Promise<Response> {
    const { signal } = this.#host;
    const response = await fetch(this.#url + where, {
      ...(post === undefined ? {} : { method: 'POST', ...post }),
      signal,
    });
    if (!response.ok) throw new Error(await response.text());
    return response;
  }
}

interface Chunk {
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[];
  readonly error?: { readonly message: string };
}

const JSON_TYPE = { 'content-type': 'application/json' };
/** Content types of files by the end of their name. */
const TYPES: Readonly<Record<string, string>> = {
  ...{ '.png': 'image/png', '.jpg': 'image/jpeg', '.jpeg': 'image/jpeg', '.webp': 'image/webp' },
  ...{ '.wav': 'audio/wav', '.mp3': 'audio/mpeg', '.flac': 'audio/flac', '.ogg': 'audio/ogg', '.m4a': 'audio/mp4' },
};

/** A file of a known kind goes as it is; JSON is the value that it says, anything else a text. */
async function bodyOf(
  input: string,
): Promise<{ headers: Readonly<Record<string, string>>; body: string | Uint8Array<ArrayBuffer> }> {
  const type = TYPES[path.extname(input).toLowerCase()];
  if (type !== undefined) return { headers: { 'content-type': type }, body: new Uint8Array(await readFile(input)) };
  let data: unknown = input;
  try {
    data = JSON.parse(input);
  } catch {
    // A text.
  }
  return { headers: JSON_TYPE, body: JSON.stringify({ data }) };
}

async function* linesOf(response: Response): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.filter((line) => line !== '');
  }
}
