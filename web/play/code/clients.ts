import type { Part, PickedFile } from '../types.ts';

/** Which requests OpenAI's own libraries send, and with which of their arguments; other fields go beside them. */

export interface ClientCall {
  /** The method, in both libraries. */
  readonly method: string;
  /** Arguments that both libraries know. */
  readonly known: ReadonlySet<string>;
  readonly answer: 'completion' | 'chat' | 'vectors' | 'transcript' | 'images' | 'speech';
}

const SAMPLING = ['model', 'temperature', 'max_tokens', 'top_p', 'seed', 'stop', 'stream'];

const CALLS: Readonly<Record<string, ClientCall>> = {
  '/v1/chat/completions': {
    method: 'chat.completions.create',
    known: new Set([...SAMPLING, 'messages', 'tools', 'response_format', 'reasoning_effort']),
    answer: 'chat',
  },
  '/v1/completions': {
    method: 'completions.create',
    known: new Set([...SAMPLING, 'prompt', 'suffix']),
    answer: 'completion',
  },
  '/v1/embeddings': {
    method: 'embeddings.create',
    known: new Set(['model', 'input', 'encoding_format', 'dimensions']),
    answer: 'vectors',
  },
  '/v1/audio/transcriptions': {
    method: 'audio.transcriptions.create',
    known: new Set([
      'model',
      'file',
      'language',
      'prompt',
      'response_format',
      'temperature',
      'stream',
      'timestamp_granularities[]',
    ]),
    answer: 'transcript',
  },
  '/v1/images/generations': {
    method: 'images.generate',
    known: new Set(['model', 'prompt', 'n', 'size']),
    answer: 'images',
  },
  '/v1/audio/speech': {
    method: 'audio.speech.create',
    known: new Set(['model', 'input', 'voice', 'response_format', 'speed']),
    answer: 'speech',
  },
};

/** Undefined for the requests of other APIs. */
export function clientCallOf(path: string): ClientCall | undefined {
  return Object.hasOwn(CALLS, path) ? CALLS[path] : undefined;
}

/** Whether the value of a field is a file. */
export function isFile(value: unknown): value is PickedFile {
  return typeof value === 'object' && value !== null && 'size' in value && 'name' in value;
}

/** Parts of a form as arguments: a name that comes twice is a list, words for yes and no are what they mean. */
export function formEntries(parts: readonly Part[]): [name: string, value: unknown][] {
  const entries = new Map<string, unknown>();
  for (const [name, value] of parts) {
    const meant = value === 'true' || value === 'false' ? value === 'true' : value;
    if (name.endsWith('[]')) entries.set(name, [...((entries.get(name) as unknown[] | undefined) ?? []), meant]);
    else entries.set(name, meant);
  }
  return [...entries];
}
