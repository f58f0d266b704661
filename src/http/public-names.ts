import type { LookupAddress } from 'node:dns';
import { Resolver } from 'node:dns/promises';

/** A name server that does not answer is asked again once. */
const resolver = new Resolver({ timeout: 2000, tries: 2 });

/**
 * The addresses of a public name, by DNS alone. The system's own look-up would hold one of the few threads that also read files, unpack bodies
 * and decode images: four names whose servers do not answer would stop all of that for everybody. Rejects where there are none.
 */
export async function resolvePublic(hostname: string, asked = resolver): Promise<readonly LookupAddress[]> {
  // RFC 6761: no matter for a name server.
  if (/(^|\.)localhost\.?$/i.test(hostname)) return [{ address: '127.0.0.1', family: 4 }];
  const [v4, v6] = await Promise.allSettled([asked.resolve4(hostname), asked.resolve6(hostname)]);
  const addresses = [...addressesOf(v4, 4), ...addressesOf(v6, 6)];
  if (addresses.length > 0) return addresses;
  throw v4.status === 'rejected' ? v4.reason : new Error('no addresses');
}

function addressesOf(answer: PromiseSettledResult<string[]>, family: number): LookupAddress[] {
  return answer.status === 'fulfilled' ? answer.value.map((address) => ({ address, family })) : [];
}
