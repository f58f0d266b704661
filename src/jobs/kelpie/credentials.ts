/** The node that a worker runs on, as SaladCloud's metadata service speaks for it. */
export interface KelpieNode {
  /** A token (JWT) that identifies it, renewed in time. */
  token(): Promise<string>;
  /** Moves the workload to another node. */
  reallocate(reason: string): Promise<void>;
}

export interface KelpieKeys {
  /** A key of Kelpie's own; empty: none. */
  readonly kelpieApiKey: string;
  /** A key of SaladCloud's API, which needs organization and project beside it; empty: none. */
  readonly saladApiKey: string;
  readonly organization: string;
  readonly project: string;
}

/** What a call to Kelpie's API identifies itself with. */
export type Credentials = () => Promise<Readonly<Record<string, string>>>;

/**
 * The first of the three ways that has all it needs: a key of Kelpie's, a key of SaladCloud's, or the token of the node. Throws where none has.
 * https://github.com/SaladTechnologies/kelpie-api
 */
export function credentialsOf(keys: KelpieKeys, node: Pick<KelpieNode, 'token'> | undefined): Credentials {
  const { kelpieApiKey, saladApiKey, organization, project } = keys;
  if (kelpieApiKey !== '') return () => Promise.resolve({ 'X-Kelpie-Key': kelpieApiKey });
  if (project === '')
    throw new Error('Kelpie needs KELPIE_API_KEY, or SALAD_PROJECT_NAME for the other ways to identify');
  if (saladApiKey !== '') {
    if (organization === '') throw new Error('SALAD_API_KEY needs SALAD_ORGANIZATION_NAME beside it');
    return () =>
      Promise.resolve({ 'Salad-Api-Key': saladApiKey, 'Salad-Organization': organization, 'Salad-Project': project });
  }
  if (node === undefined)
    throw new Error('Kelpie needs KELPIE_API_KEY or SALAD_API_KEY: elsewhere than on SaladCloud nodes have no token');
  return async () => ({ Authorization: `Bearer ${await node.token()}`, 'Salad-Project': project });
}
