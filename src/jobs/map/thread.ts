import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../errors.ts';
import type { MapAnswer, MapCall, MapFunction, MapStart, MapValue } from './protocol.ts';

/** The thread in which a user's JOB_MAP runs: whatever it does, the server answers probes and goes on. */

type Functions = Partial<Readonly<Record<MapFunction, (...args: readonly unknown[]) => unknown>>>;

/** A message of an error may quote the whole of what it is about. */
const MOST_PROBLEM = 1000;

const port = parentPort;
if (port === null) throw new Error('this is a thread of a server');

const functions = await load(workerData as string).catch((error: unknown) => {
  port.postMessage({ unloadable: messageOf(error).slice(0, MOST_PROBLEM) } satisfies MapStart);
  return undefined;
});
if (functions !== undefined) {
  port.postMessage({ functions: Object.keys(functions) as MapFunction[] } satisfies MapStart);
  port.on('message', (call: MapCall) => void answer(functions, call));
}

async function load(file: string): Promise<Functions> {
  const module = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
  const found: Partial<Record<MapFunction, (...args: readonly unknown[]) => unknown>> = {};
  for (const name of ['toJob', 'toReport'] as const) {
    const one = module[name];
    if (one === undefined && name === 'toReport') continue;
    if (typeof one !== 'function') throw new Error(`it must export a function ${name}`);
    found[name] = one as (...args: readonly unknown[]) => unknown;
  }
  return found;
}

async function answer(functions: Functions, call: MapCall): Promise<void> {
  const value = await valueOf(functions, call);
  port?.postMessage(
    { id: call.id, ...value } satisfies MapAnswer,
    'value' in value ? [value.value.buffer as ArrayBuffer] : [],
  );
}

async function valueOf(functions: Functions, { name, message, result }: MapCall): Promise<MapValue> {
  try {
    const args: unknown[] = result === undefined ? [] : [JSON.parse(textOf(result))];
    // Undefined for what JSON does not have.
    const text = JSON.stringify(await functions[name]?.(...args, valueIn(message))) as string | undefined;
    if (text === undefined) return { problem: 'it returned nothing that JSON has' };
    // Not a Buffer, whose memory is shared.
    return { value: new TextEncoder().encode(text) };
  } catch (error) {
    return { problem: messageOf(error).slice(0, MOST_PROBLEM) };
  }
}

/** A message is JSON, or else text. */
function valueIn(message: Uint8Array): unknown {
  const text = textOf(message);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
