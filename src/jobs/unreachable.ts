import { messageOf } from '../errors.ts';

/** The server of a queue as an option names it, and what its user can do. */
export interface QueueServer {
  readonly option: string;
  /** One URL, or several separated by commas; what stands before an `@` is not shown. */
  readonly address: string;
  /** What to try, as a sentence. */
  readonly cure: string;
}

/** Throws an Error for a server that has not taken a connection: the option, the address without credentials, the reason and the cure. */
export function unreachable({ option, address, cure }: QueueServer): (error: unknown) => never {
  return (error) => {
    const shown = address.split(',').map(withoutCredentials).join(', ');
    throw new Error(`${option} (${shown}): ${reasonOf(error)}. ${cure}`, { cause: error });
  };
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
  return messageOf(error).replace(/\.$/, '');
}
