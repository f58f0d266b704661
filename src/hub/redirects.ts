import { errors, interceptors, type Dispatcher } from 'undici';

/** Redirects of the hub, which sends large files from a store at another origin: followed by undici, within its rules and one of ours. */

const MOST_REDIRECTS = 5;

class NotSecure extends Error {}

/** Refuses a step from https to http, which undici would take. All requests of a chain of redirects have one handler, by which they are known. */
const staySecure: Dispatcher.DispatcherComposeInterceptor = (dispatch) => {
  const secure = new WeakSet<Dispatcher.DispatchHandler>();
  return (options, handler) => {
    const isSecure = new URL(options.origin ?? '').protocol === 'https:';
    if (!isSecure && secure.has(handler)) throw new NotSecure();
    if (isSecure) secure.add(handler);
    return dispatch(options, handler);
  };
};

/** A dispatcher that follows redirects. Undici leaves credentials behind where one leads to another origin. */
export function followRedirects(dispatcher: Dispatcher): Dispatcher {
  return dispatcher.compose(staySecure, interceptors.redirect({ maxRedirections: MOST_REDIRECTS }));
}

/** The error in words, where a redirect is to blame for it: one that is not secure, leads back to where it was, or to no address of HTTP. */
export function redirectProblem(error: unknown): string | undefined {
  if (error instanceof NotSecure) return 'the hub sends us to an address that is not secure';
  return error instanceof errors.InvalidArgumentError ? ENDLESS : undefined;
}

/** Where there was one redirect too many. */
export const ENDLESS = 'the hub sends us from one address to the next';
