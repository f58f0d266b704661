import type { LookupAddress } from 'node:dns';
import { lookup, Resolver } from 'node:dns/promises';
import pLimit from 'p-limit';

/** A name server that does not answer is asked again once. */
const resolver = new Resolver({ timeout: 2000, tries: 2 });

/**
 * The addresses of a public name, by DNS only. The system's own look-up would take one of the few threads that also read files, unpack bodies
 * and decode images: four names whose servers do not answer would stop all of that. Rejects if there are none.
 */
export async function resolvePublic(hostname: string, asked = resolver): Promise<readonly LookupAddress[]> {
  // RFC 6761: these names must not be asked of a name server.
  if (/(^|\.)localhost\.?$/i.test(hostname)) return [{ address: '127.0.0.1', family: 4 }];
  const [v4, v6] = await Promise.allSettled([asked.resolve4(hostname), asked.resolve6(hostname)]);
  const addresses = [...addressesOf(v4, 4), ...addressesOf(v6, 6)];
  if (addresses.length > 0) return addresses;
  throw v4.status === 'rejected' ? v4.reason : new Error('no addresses');
}

/** The system's look-ups share four threads with files, bodies and images: half of them are left to those. */
const places = pLimit(2);

/** The addresses of a name as this machine knows it, its file of hosts included. Rejects where there are none. */
export function resolveBySystem(
  hostname: string,
  ask: (hostname: string, options: { all: true }) => Promise<LookupAddress[]> = lookup,
): Promise<readonly LookupAddress[]> {
  return places(() => ask(hostname, { all: true }));
}

function addressesOf(answer: PromiseSettledResult<string[]>, family: number): LookupAddress[] {
  return answer.status === 'fulfilled' ? answer.value.map((address) => ({ address, family })) : [];
}
