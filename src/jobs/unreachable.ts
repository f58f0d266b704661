import { messageOf } from '../errors.ts';

/** What to try, as a sentence, against errors with a code, a name or a message that the pattern finds. */
export type Cure = readonly [RegExp, string];

/** The server of a queue as an option names it, and what its user can do. */
export interface QueueServer {
  readonly option: string;
  /** One URL, or several separated by commas; what stands before an `@` is not shown. */
  readonly address: string;
  /** What to try where nobody answers, as a sentence. */
  readonly cure: string;
  /** What to try against what such servers refuse with: the first that fits. Default: none. */
  readonly cures?: readonly Cure[];
}

/** Against what any server may be in the way of. */
const COMMON: readonly Cure[] = [
  [
    /ENOTFOUND|EAI_AGAIN/,
    'The name is not known here: check how it is written, and the DNS of this machine or container.',
  ],
  [
    /certificate|CERT_|UNABLE_TO_|EPROTO|ERR_TLS|ERR_SSL|wrong version number/i,
    'Check that the server speaks TLS; NODE_EXTRA_CA_CERTS names a file of certificates that it may be signed with.',
  ],
];

/** Throws an Error for a server that has not let us in: the option, the address without credentials, the reason and the cure. */
export function unreachable(server: QueueServer): (error: unknown) => never {
  return (error) => {
    throw toldOf(server, error, cureOf(error, server.cures) ?? server.cure);
  };
}

/** The same for a server that has let us in and then refuses something: only what it has a cure for is told so, and any other error is thrown as it is. */
export function refusedBy(server: QueueServer): (error: unknown) => never {
  return (error) => {
    const cure = cureOf(error, server.cures);
    throw cure === undefined ? error : toldOf(server, error, cure);
  };
}

/** What to try against an error, as a sentence; undefined if nothing is known against it. */
export function cureOf(error: unknown, cures: readonly Cure[] = []): string | undefined {
  const text = textOf(error);
  return [...cures, ...COMMON].find(([pattern]) => pattern.test(text))?.[1];
}

function toldOf({ option, address }: QueueServer, error: unknown, cure: string): Error {
  const shown = address.split(',').map(withoutCredentials).join(', ');
  return new Error(`${option} (${shown}): ${reasonOf(error)}. ${cure}`, { cause: error });
}

/** A password may hold any character but the last `@`; the query and the path hold no server. */
function withoutCredentials(address: string): string {
  const text = address.trim();
  const scheme = /^[a-z][a-z\d+.-]*:\/\//i.exec(text)?.[0] ?? '';
  const rest = text.slice(scheme.length);
  return `${scheme}${rest.slice(rest.lastIndexOf('@') + 1).replace(/[/?#].*$/, '')}`;
}

/** Errors of several addresses tried in turn have no text of their own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return messageOf(error).replace(/[.?]$/, '');
}

/** Codes, names and messages of an error and of what has caused it. */
function textOf(error: unknown): string {
  const texts: unknown[] = [];
  for (let one = error, depth = 0; one instanceof Error && depth < 5; one = one.cause, depth += 1) {
    texts.push((one as { code?: unknown }).code, one.name, one.message);
    if (one instanceof AggregateError) texts.push(...one.errors.map(textOf));
  }
  return texts.filter((text) => typeof text === 'string').join(' ');
}
