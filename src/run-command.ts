import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { OPTION_FLAGS, readArguments } from './config/flags.ts';
import type { Config } from './config/options.ts';
import { startServer } from './lifecycle.ts';
import { createLogs } from './log.ts';

/** `carpool run`: one model, asked from the terminal, by a server on this machine that ends with it. */

export const RUN_USAGE = [
  'Usage: carpool run <model> [a text, JSON, or the name of a file] [flags of carpool serve]',
  '',
  'Asks a model of MODELS_DIR and prints its answer. A chat model without a text talks with you, line by line, until the end of the input.',
  '',
  '  carpool run chat "What is the capital of France?"',
  '  carpool run language-id "Wo ist der Bahnhof?"',
  '  carpool run transcription speech.wav',
].join('\n');

export interface RunFlags {
  readonly model: string;
  readonly input: string | undefined;
  /** The other flags, which are of the configuration. */
  readonly rest: readonly string[];
}

/** What a command line asks for, or what is wrong with it. */
export function runFlags(argv: readonly string[]): RunFlags | { readonly problem: string } {
  const { values, positionals, problems } = readArguments(argv, OPTION_FLAGS);
  const [model, input, ...others] = positionals;
  if (problems.length > 0) return { problem: problems.join('\n') };
  if (model === undefined) return { problem: 'Name a model; carpool list shows them' };
  if (others.length > 0) return { problem: 'Put the text in quotes' };
  const rest = Object.entries(values).map(([name, value]) => `--${name}=${value}`);
  // A server of its own, for this model and this machine alone.
  return { model, input, rest: [...rest, `--models=${model}`, '--host=127.0.0.1', '--port=0', '--probe-port=-1'] };
}

export interface RunHost {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly signal: AbortSignal;
}

/** Runs a model. Throws a StartError if it cannot be loaded, and a plain Error with the answer of a request that was refused. */
export async function runCommand(config: Config, flags: RunFlags, host: RunHost): Promise<void> {
  const server = await startServer(config, createLogs({ level: 'silent', pretty: false }));
  try {
    await server.started;
    const asked = new Asked(`http://127.0.0.1:${server.port}`, flags.model, host);
    const isChat = (await asked.task()) === 'chat';
    if (!isChat) host.stdout.write(`${await asked.predict(flags.input ?? '')}\n`);
    else if (flags.input === undefined) await converse(asked, host);
    else await asked.chat([{ role: 'user', content: flags.input }]);
  } finally {
    await server.drain();
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
  readonly #host: RunHost;

  constructor(url: string, model: string, host: RunHost) {
    this.#url = url;
    this.#model = model;
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
