import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

/**
 * Which clients work with a running server, feature by feature: `node dist/tools/clients/table.js URL task=model... [sample=file.wav]` prints a table. The
 * clients are those of package.json and requirements.txt here, unchanged; what is not installed is left out, saying so.
 */

/** The sources of the programs; this file runs from dist/tools/clients. */
const FOLDER = path.join(import.meta.dirname, '../../../tools/clients');
const PROGRAM_LIMIT_MS = 240_000;

export interface Client {
  readonly title: string;
  readonly program: string;
  /** The package that must be installed; none for programs that only use fetch. */
  readonly needs?: string;
}

export const CLIENTS: readonly Client[] = [
  { title: 'openai (npm)', program: 'openai.mjs', needs: 'openai' },
  { title: 'openai (PyPI)', program: 'openai_client.py', needs: 'openai' },
  { title: "AI SDK, `openai('model')`", program: 'ai-sdk.mjs', needs: '@ai-sdk/openai' },
  { title: 'AI SDK, openai-compatible', program: 'ai-sdk-compatible.mjs', needs: '@ai-sdk/openai-compatible' },
  { title: 'SaladCloud ai-sdk-provider', program: 'salad.mjs', needs: '@saladtechnologies-oss/ai-sdk-provider' },
  { title: 'LangChain.js', program: 'langchain.mjs', needs: '@langchain/openai' },
  { title: 'LangChain (Python)', program: 'langchain_client.py', needs: 'langchain-openai' },
  { title: 'LlamaIndex.TS', program: 'llamaindex.mjs', needs: '@llamaindex/openai' },
  { title: 'LlamaIndex (Python)', program: 'llamaindex_client.py', needs: 'llama-index-llms-openai-like' },
  { title: 'Haystack', program: 'haystack_client.py', needs: 'haystack-ai' },
  { title: 'LiteLLM', program: 'litellm_client.py', needs: 'litellm' },
  { title: 'Cohere (npm)', program: 'cohere.mjs', needs: 'cohere-ai' },
  { title: 'Cohere (PyPI)', program: 'cohere_client.py', needs: 'cohere' },
  { title: '@huggingface/inference', program: 'huggingface.mjs', needs: '@huggingface/inference' },
  { title: 'huggingface_hub', program: 'huggingface_client.py', needs: 'huggingface_hub' },
  { title: 'Requests of Open WebUI, Continue, TEI recipes', program: 'shapes.mjs' },
];

/** What some of them do with models for tasks of texts. */
export const TEXT_CLIENTS: readonly Client[] = [
  { title: '@huggingface/inference, texts', program: 'huggingface-texts.mjs', needs: '@huggingface/inference' },
  { title: 'huggingface_hub, texts', program: 'huggingface_texts_client.py', needs: 'huggingface_hub' },
];

export interface Feature {
  readonly feature: string;
  readonly ok?: boolean;
  readonly error?: string;
  /** Why it was not tried. */
  readonly skipped?: string;
}

/** What programs are told. */
export interface Server {
  readonly url: string;
  /** Names of models by task. */
  readonly models: Readonly<Record<string, string>>;
  /** A recording of speech. */
  readonly sample?: string | undefined;
}

const MODULES = path.join(FOLDER, 'node_modules');
/** Pythons with clients, separated as in PATH: not all clients can be installed beside each other. */
const PYTHONS = (process.env['CARPOOL_CLIENTS_PYTHON'] ?? 'python3').split(path.delimiter);

/** A client as it is installed. */
export interface Installed {
  readonly version: string;
  /** What runs its program. */
  readonly command: string;
}

/** Where a client is installed; undefined if it is not. */
export function findClient({ program, needs }: Client): Installed | undefined {
  if (needs === undefined) return { version: '', command: process.execPath };
  if (program.endsWith('.mjs')) {
    const file = path.join(MODULES, needs, 'package.json');
    if (!existsSync(file)) return undefined;
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
    return { version, command: process.execPath };
  }
  for (const command of PYTHONS) {
    const asked = spawnSync(command, ['-c', `import importlib.metadata as m; print(m.version("${needs}"))`]);
    if (asked.status === 0) return { version: asked.stdout.toString().trim(), command };
  }
  return undefined;
}

/** Runs a client's program against a server. If it ends before it has tried all its features, or is ended by the limit, the last result says so. */
export async function tryClient({ program }: Client, { command }: Installed, server: Server): Promise<Feature[]> {
  const child = spawn(command, [path.join(FOLDER, program), JSON.stringify(server)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: PROGRAM_LIMIT_MS,
    killSignal: 'SIGKILL',
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-2000)));
  const ended = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  const features: Feature[] = [];
  for await (const line of createInterface({ input: child.stdout }))
    if (line.startsWith('{"')) features.push(JSON.parse(line) as Feature);
  const code = await ended;
  if (code === 0 && features.length > 0) return features;
  return [...features, { feature: program, ok: false, error: `it ended with ${code ?? 'a signal'}: ${complaint}` }];
}

/** All clients as a table in Markdown, and whether everything that was tried works. */
async function main([url = '', ...pairs]: readonly string[]): Promise<void> {
  const { sample, ...models } = Object.fromEntries(pairs.map((pair) => pair.split('='))) as Record<string, string>;
  console.log('| client | version | works |\n|---|---|---|');
  for (const client of [...CLIENTS, ...TEXT_CLIENTS]) {
    const installed = findClient(client);
    if (installed === undefined) {
      console.log(`| ${client.title} | not installed | |`);
      continue;
    }
    const features = await tryClient(client, installed, { url, models, sample });
    const words = features.map(({ feature, ok, skipped, error = '' }) => {
      if (skipped !== undefined) return `${feature} (${skipped})`;
      return ok === true ? feature : `**${feature} fails**: ${error.replaceAll(/\s+/g, ' ')}`;
    });
    if (features.some(({ ok }) => ok === false)) process.exitCode = 1;
    console.log(`| ${client.title} | ${installed.version} | ${words.join(', ')} |`);
  }
}

if (process.argv[2]?.startsWith('http') === true) await main(process.argv.slice(2));
