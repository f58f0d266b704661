import { createHash } from 'node:crypto';
import { z } from 'zod';

/** API keys as API_KEY, API_KEYS and API_KEYS_FILE give them. No message quotes an entry: somebody may have put the key itself there. */

/** What a key may be for. */
export const SCOPES = ['infer', 'manage', 'metrics'] as const;
export type Scope = (typeof SCOPES)[number];

/** What bounds the use of a key; absent: nothing does. */
export interface KeyLimits {
  readonly requestsPerSecond?: number | undefined;
  /** Most requests at once; default: those of a second. */
  readonly burst?: number | undefined;
  readonly itemsPerMinute?: number | undefined;
  readonly requestsPerDay?: number | undefined;
  readonly itemsPerDay?: number | undefined;
}

export interface KeyEntry extends KeyLimits {
  /** For logs and metrics. */
  readonly name: string;
  /** SHA-256 of the key in hexadecimal; of a key that is being replaced two. */
  readonly sha256: readonly string[];
  readonly scopes: readonly Scope[];
  /** Of requests that name none: 1 to 3. */
  readonly priority?: number | undefined;
}

const NAME = /^[\w.-]{1,64}$/;
const DIGEST = /^[\da-f]{64}$/i;

/** The name of the key of API_KEY. */
const ONLY = 'default';

/** SHA-256 in lower-case hexadecimal, as API_KEYS has it. */
export function digestOfKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** The keys of API_KEY and API_KEYS. What cannot be read is added to `problems`. */
export function parseKeys(
  { API_KEY, API_KEYS }: { API_KEY: string; API_KEYS: readonly string[] },
  problems: string[] = [],
): KeyEntry[] {
  const entries = API_KEYS.flatMap((text, index) => readEntry(text, index, problems));
  // One key alone is for everything, as it is for the servers that have such an option.
  if (API_KEY !== '') entries.unshift({ name: ONLY, sha256: [digestOfKey(API_KEY)], scopes: SCOPES });
  problems.push(...repeated(entries).map((problem) => `API_KEYS: ${problem}`));
  return entries;
}

/** `name:sha256:scope:scope`; without scopes for inference alone. A hash alone has no name of its own. */
function readEntry(text: string, index: number, problems: string[]): KeyEntry[] {
  const parts = text.split(':').map((part) => part.trim());
  const [name = '', sha256 = '', ...scopes] =
    parts.length === 1 && DIGEST.test(parts[0] ?? '') ? [`key-${index + 1}`, ...parts] : parts;
  const isWhole = NAME.test(name) && !DIGEST.test(name) && DIGEST.test(sha256) && scopes.every(isScope);
  if (isWhole) return [{ name, sha256: [sha256.toLowerCase()], scopes: scopes.length === 0 ? ['infer'] : scopes }];
  problems.push(
    `API_KEYS: entry ${index + 1}: expected name:sha256, perhaps with scopes (name:sha256:infer:metrics), where sha256 is what \`carpool hash-key\` prints`,
  );
  return [];
}

function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text);
}

const digest = z.string().regex(DIGEST, 'expected 64 hexadecimal digits').toLowerCase();
const INFERENCE: Scope[] = ['infer'];
const limit = z.number().positive().max(1e9);

const FILE = z.strictObject({
  keys: z
    .array(
      z.strictObject({
        name: z.string().regex(NAME, 'expected 1 to 64 letters, digits, dots, hyphens and underscores'),
        sha256: z.union([digest.transform((one) => [one]), z.array(digest).min(1).max(4)]),
        scopes: z.array(z.enum(SCOPES)).min(1).default(INFERENCE),
        requestsPerSecond: limit.optional(),
        burst: z.int().min(1).max(1e9).optional(),
        itemsPerMinute: limit.optional(),
        requestsPerDay: limit.optional(),
        itemsPerDay: limit.optional(),
        priority: z.int().min(1).max(3).optional(),
      }),
    )
    .max(10_000),
});

/** The keys of API_KEYS_FILE, beside others. Throws an Error in words. */
export function readKeysFile(text: string, others: readonly KeyEntry[]): KeyEntry[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('it is not valid JSON');
  }
  const { data, error } = FILE.safeParse(value);
  if (error !== undefined) {
    const [issue] = error.issues;
    const place = issue?.path.join('.') ?? '';
    throw new Error(`${place === '' ? '' : `${place}: `}${issue?.message ?? 'not valid'}`);
  }
  const [twice] = repeated([...others, ...data.keys]);
  if (twice !== undefined) throw new Error(twice);
  return data.keys;
}

function repeated(entries: readonly KeyEntry[]): string[] {
  const names = entries.map(({ name }) => name);
  const digests = entries.flatMap(({ sha256 }) => sha256);
  // A set, because the file may have 10,000 keys and is read on the main thread.
  const before = new Set<string>();
  const name = names.find((one) => before.size === before.add(one).size);
  if (name !== undefined) return [`two keys are called ${name}`];
  return new Set(digests).size < digests.length ? ['the same key stands there twice'] : [];
}
