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

/** Whether the host and port of a URL take a connection, and their names: without the user and password that the URL may hold. Never rejects. */
export function isSocketTo(url: string): Promise<{ readonly isThere: boolean; readonly address: string }> {
  // Of other schemes than its own, URL reads no host without slashes.
  const whole = /^[a-z]+:\/\//i.test(url) ? url : `nats://${url}`;
  if (!URL.canParse(whole)) return Promise.resolve({ isThere: false, address: 'an address that cannot be read' });
  const { hostname, port, protocol } = new URL(whole);
  const to = port === '' ? (PORTS[protocol] ?? 443) : Number(port);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = connect({ host, port: to, timeout: LIMIT_MS });
    const end = (isThere: boolean): void => {
      socket.destroy();
      resolve({ isThere, address: `${hostname}:${to}` });
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}
