import type { Config } from '../../config/options.ts';
import { systemClock } from '../../core/clock.ts';
import type { Log } from '../../log.ts';
import type { Cure } from '../unreachable.ts';
import { KelpieApi } from './api.ts';
import { credentialsOf, type KelpieNode } from './credentials.ts';
import { KelpieSource } from './source.ts';

interface Parts {
  readonly config: Config;
  readonly log: Log;
  readonly salad?: KelpieNode | undefined;
}

const CURE = 'It is asked again; leave KELPIE_API_URL out for that of SaladCloud.';
const CURES: readonly Cure[] = [
  [
    /status 40[013]/,
    'Check KELPIE_API_KEY; without it SALAD_API_KEY, SALAD_ORGANIZATION_NAME and SALAD_PROJECT_NAME count, or the token of the node.',
  ],
  [
    /status 404|status 3\d\d|redirect|unexpected answer/,
    'Something else answers there: KELPIE_API_URL has the base of the API, without a path of its calls.',
  ],
];

/** The source of JOB_SOURCE=kelpie. Rejects if something that it needs is not set, or the API refuses the key. */
export async function openKelpie({ config, log, salad }: Parts): Promise<KelpieSource> {
  const { SALAD_MACHINE_ID: machineId, SALAD_CONTAINER_GROUP_ID: containerGroupId } = config;
  if (machineId === '' || containerGroupId === '')
    throw new Error('elsewhere than on SaladCloud it needs SALAD_MACHINE_ID and SALAD_CONTAINER_GROUP_ID');
  const keys = {
    kelpieApiKey: config.KELPIE_API_KEY,
    saladApiKey: config.SALAD_API_KEY,
    organization: config.SALAD_ORGANIZATION_NAME,
    project: config.SALAD_PROJECT_NAME,
  };
  const credentials = credentialsOf(keys, salad);
  const clock = systemClock;
  const server = { option: 'KELPIE_API_URL', address: config.KELPIE_API_URL, cure: CURE, cures: CURES };
  return KelpieSource.open({
    server,
    api: new KelpieApi({ url: config.KELPIE_API_URL, credentials, machineId, containerGroupId, clock }),
    node: salad,
    clock,
    log,
    pollMs: config.KELPIE_POLL_MS,
    idleLimitMs: config.MAX_TIME_WITH_NO_WORK_S * 1000,
    mostFailures: config.MAX_JOB_FAILURES,
  });
}
