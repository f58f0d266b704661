import { errors, interceptors, type Dispatcher } from 'undici';

/** Redirects of the hub, whose large files are in a store at another origin. Undici follows them by its rules and one of ours. */

const MOST_REDIRECTS = 5;

class NotSecure extends Error {}

/** Refuses a step from https to http, which undici would take. All requests of a chain of redirects have the same handler, which identifies the chain. */
const staySecure: Dispatcher.DispatcherComposeInterceptor = (dispatch) => {
  const secure = new WeakSet<Dispatcher.DispatchHandler>();
  return (options, handler) => {
    const isSecure = new URL(options.origin ?? '').protocol === 'https:';
    if (!isSecure && secure.has(handler)) throw new NotSecure();
    if (isSecure) secure.add(handler);
    return dispatch(options, handler);
  };
};

/** A dispatcher that follows redirects. Undici drops credentials at a redirect to another origin. */
export function followRedirects(dispatcher: Dispatcher): Dispatcher {
  return dispatcher.compose(staySecure, interceptors.redirect({ maxRedirections: MOST_REDIRECTS }));
}

/** The error in words, if a redirect caused it: one to an address that is not secure, to itself, or to no HTTP address. */
export function redirectProblem(error: unknown): string | undefined {
  if (error instanceof NotSecure) return 'the hub redirects to an address that is not secure';
  return error instanceof errors.InvalidArgumentError ? ENDLESS : undefined;
}

/** Too many redirects, or one that leads nowhere. */
export const ENDLESS = 'the hub redirects without end';
