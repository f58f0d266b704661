import { connect } from 'node:net';

const LIMIT_MS = 2000;
const PORTS: Readonly<Record<string, number>> = {
  'nats:': 4222,
  'tls:': 4222,
  'redis:': 6379,
  'rediss:': 6379,
  'http:': 80,
  'https:': 443,
};

/** What a server of these schemes answers before anything else, if it is sent this much. */
const GREETINGS: Readonly<Record<string, string>> = { 'nats:': '', 'redis:': 'PING\r\n' };

export interface Reached {
  /** `silent`: it takes connections, and does not answer as a server of the URL's scheme does. */
  readonly outcome: 'answers' | 'silent' | 'nothing';
  /** Host and port, without the user and password that the URL may hold. */
  readonly address: string;
}

/** Whether a server is at the host and port of a URL: of NATS and Redis, whether it says a word; of others, whether it takes a connection. Never rejects. */
export function reach(url: string): Promise<Reached> {
  // Of other schemes than its own, URL reads no host without slashes.
  const whole = /^[a-z]+:\/\//i.test(url) ? url : `nats://${url}`;
  if (!URL.canParse(whole)) return Promise.resolve({ outcome: 'nothing', address: 'an address that cannot be read' });
  const { hostname, port, protocol } = new URL(whole);
  const to = port === '' ? (PORTS[protocol] ?? 443) : Number(port);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = connect({ host, port: to });
    let outcome: Reached['outcome'] = 'nothing';
    const end = (found: Reached['outcome']): void => {
      clearTimeout(late);
      socket.destroy();
      resolve({ outcome: found, address: `${hostname}:${to}` });
    };
    const late = setTimeout(() => end(outcome), LIMIT_MS);
    socket.once('connect', () => {
      const greeting = GREETINGS[protocol];
      if (greeting === undefined) end('answers');
      outcome = 'silent';
      socket.write(greeting ?? '');
    });
    socket.once('data', () => end('answers'));
    socket.once('error', () => end(outcome));
    socket.once('end', () => end(outcome));
  });
}
