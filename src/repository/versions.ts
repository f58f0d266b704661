import type { Manifest } from './manifest.ts';

export type VersionPolicy = Manifest['versions'];

/**
 * The versions a policy chooses from the version folders there are, ascending. `latest: n` takes the n highest.
 * Throws an Error that names every missing version when `specific` asks for one that has no folder.
 */
export function chooseVersions(available: readonly number[], policy: VersionPolicy): number[] {
  const ascending = [...new Set(available)].sort((a, b) => a - b);
  if (policy === 'all') return ascending;
  if ('latest' in policy) return ascending.slice(-policy.latest);
  const wanted = [...new Set(policy.specific)].sort((a, b) => a - b);
  const missing = wanted.filter((version) => !ascending.includes(version));
  if (missing.length > 0) throw new Error(`versions.specific: there is no version ${missing.join(', ')}`);
  return wanted;
}
