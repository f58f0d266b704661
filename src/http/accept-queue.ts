import { open } from 'node:fs/promises';

/** Tables of IPv4 and IPv6 sockets of this network namespace. */
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];
/** A read gives 4 KiB at most, some 27 sockets; nobody listens on more than hundreds of ports. */
const READ_BYTES = 4096;
const MOST_READS = 64;
const LISTENING = '0A';

/**
 * How many connections the kernel has ready on a port that nobody has accepted yet, of all sockets that listen on it; undefined where the system does not say (not
 * Linux). Only the heads of the tables are read, where the listening sockets stand: of 10,000 connections they take 0.3 ms, all of a table 100 ms.
 */
export async function readAcceptQueue(port: number, tables: readonly string[] = TABLES): Promise<number | undefined> {
  const heads = await Promise.all(tables.map(readListening));
  const known = heads.filter((text) => text !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, text) => sum + queueOf(text, port), 0);
}

/** The lines of a table up to the first socket that does not listen, and some after it; undefined if there is no such table. */
async function readListening(table: string): Promise<string | undefined> {
  let file;
  try {
    file = await open(table, 'r');
  } catch {
    return undefined;
  }
  try {
    const buffer = Buffer.alloc(READ_BYTES);
    let text = '';
    for (let reads = 0; reads < MOST_READS; reads += 1) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES, null);
      text += buffer.toString('latin1', 0, bytesRead);
      const end = text.lastIndexOf('\n');
      const lastLine = text.slice(text.lastIndexOf('\n', end - 1) + 1, end);
      if (bytesRead === 0 || fieldsOf(lastLine).state !== LISTENING) break;
    }
    return text;
  } finally {
    await file.close();
  }
}

/** The same of the text of one table (proc(5)): of a listening socket the receive queue counts connections. */
export function queueOf(table: string, port: number): number {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  let sum = 0;
  for (const line of table.split('\n')) {
    const { local, state, received } = fieldsOf(line);
    if (state === LISTENING && local.endsWith(suffix)) sum += Number.parseInt(received, 16);
  }
  return sum;
}

function fieldsOf(line: string): { readonly local: string; readonly state: string; readonly received: string } {
  const [, local = '', , state = '', queues = ''] = line.trim().split(/\s+/);
  return { local, state, received: queues.split(':')[1] ?? '0' };
}
