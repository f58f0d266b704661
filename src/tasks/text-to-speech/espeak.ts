import { spawn } from 'node:child_process';
import { ServerError } from '../../errors.ts';
import { clausesOf, type Clause } from './clauses.ts';

/** Phonemes by the program espeak-ng (https://github.com/espeak-ng/espeak-ng), a child process between two pipes. */

export interface EspeakLimits {
  /** What is left of the request's time. */
  readonly leftMs: () => number;
  /** Calls back once the phonemes are no longer awaited, until the returned function is called. */
  readonly onLeave: (callback: () => void) => () => void;
  /** The program; another one in tests. */
  readonly command?: string;
}

/** A second is enough for thousands of sentences. */
const LONGEST_MS = 20_000;
const PROBE_MS = 10_000;
/** A character is seldom more than ten letters of the phonetic alphabet. */
const BYTES_PER_CHARACTER = 200;
const LEAST_BYTES = 64 * 1024;

/** A name of a voice, such as `en-us` or `roa/fr`, that is no option and no path. */
const VOICE_NAME = /^[a-z][\w-]*(\/[a-z][\w-]*)?(\+\w+)?$/i;

const probes = new Map<string, Promise<void>>();

/** Checks that espeak-ng is there and has the voice. Throws a plain Error that says what to do otherwise. */
export function requireEspeak(voice: string, command = 'espeak-ng'): Promise<void> {
  const key = `${command} ${voice}`;
  let probe = probes.get(key);
  if (probe === undefined) {
    probe = tryVoice(voice, command);
    probes.set(key, probe);
    // It may be installed before the next load.
    probe.catch(() => probes.delete(key));
  }
  return probe;
}

async function tryVoice(voice: string, command: string): Promise<void> {
  if (!VOICE_NAME.test(voice)) throw new Error(`"${voice.slice(0, 40)}" is no name of a voice of espeak-ng`);
  const limits = { leftMs: () => PROBE_MS, onLeave: () => () => undefined, command };
  try {
    await run(voice, 'a\n', limits);
  } catch (error) {
    if (isMissing(error))
      throw new Error(
        'this voice reads phonemes, which takes the program espeak-ng, and it is not installed: install it (apt-get install espeak-ng, brew install espeak-ng), or take a voice that reads letters',
        { cause: error },
      );
    throw new Error(`espeak-ng has no voice "${voice}"`, { cause: error });
  }
}

/** Texts as espeak-ng is given them. */
export interface Clauses {
  /** Of each text. */
  readonly clauses: readonly (readonly Clause[])[];
  /** All of them. */
  readonly input: string;
}

export function clausesOfAll(texts: readonly string[]): Clauses {
  const clauses = texts.map(clausesOf);
  // Without its blank line, the end of a clause could not be told from a line end that espeak-ng adds.
  const lines = clauses.flatMap((some) => some.map(({ words }) => `${words}\n\n`));
  return { clauses, input: lines.join('') };
}

/**
 * What espeak-ng writes for an input: phonemes in the International Phonetic Alphabet, clause by clause. Throws DEADLINE_EXCEEDED, CANCELLED, or a plain Error
 * if espeak-ng fails.
 */
export async function speak(voice: string, { input }: Pick<Clauses, 'input'>, limits: EspeakLimits): Promise<string> {
  return input === '' ? '' : run(voice, input, limits);
}

/**
 * The phonemes of each text in what espeak-ng has written, with the punctuation of its clauses, as Piper's voices were trained. Undefined where a clause gave
 * nothing, so that they cannot be told apart.
 */
export function phonemesIn(output: string, { clauses }: Pick<Clauses, 'clauses'>): string[] | undefined {
  const groups = groupsOf(output);
  if (groups.length !== clauses.flat().length) return undefined;
  let next = 0;
  return clauses.map((some) => some.map(({ mark }) => `${groups[next++] ?? ''}${mark}`).join(' '));
}

/** The phonemes of each text by a process of its own, without its pauses. Throws as `speak`. */
export async function phonemesApart(
  { clauses }: Pick<Clauses, 'clauses'>,
  voice: string,
  limits: EspeakLimits,
): Promise<string[]> {
  const apart: string[] = [];
  for (const some of clauses) apart.push(await phonemesOfWhole(some, voice, limits));
  return apart;
}

async function phonemesOfWhole(clauses: readonly Clause[], voice: string, limits: EspeakLimits): Promise<string> {
  if (clauses.length === 0) return '';
  const output = await run(voice, clauses.map(({ words }) => `${words}\n`).join(''), limits);
  return `${groupsOf(output).join(' ')}${clauses.at(-1)?.mark ?? ''}`;
}

/** What stands between blank lines; flags of changes of language (`(en)`) are no phonemes. */
function groupsOf(output: string): string[] {
  return output
    .replace(/\([a-z][\w-]*\)/gi, '')
    .split(/\n\s*\n/)
    .map((group) => group.trim().replace(/\s+/g, ' '))
    .filter((group) => group !== '');
}

async function run(
  voice: string,
  text: string,
  { leftMs, onLeave, command = 'espeak-ng' }: EspeakLimits,
): Promise<string> {
  const child = spawn(command, ['-q', '--ipa', '-v', voice], { stdio: ['pipe', 'pipe', 'ignore'] });
  let failure: Error | undefined;
  const stop = (error: Error): void => {
    failure ??= error;
    child.kill('SIGKILL');
  };
  const late = setTimeout(() => stop(new ServerError('DEADLINE_EXCEEDED')), Math.min(leftMs(), LONGEST_MS));
  const stay = onLeave(() => stop(new ServerError('CANCELLED')));
  const mostBytes = LEAST_BYTES + text.length * BYTES_PER_CHARACTER;
  const chunks: Buffer[] = [];
  let bytes = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > mostBytes) stop(new Error('espeak-ng writes without end'));
    else chunks.push(chunk);
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(text);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    if (failure !== undefined) throw failure;
    if (code !== 0) throw new Error(`espeak-ng ended with ${code === null ? 'a signal' : `code ${code}`}`);
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    clearTimeout(late);
    stay();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'ENOENT';
}
