import type { Config } from '../config/options.ts';
import { originOf } from '../config/read.ts';

/** Options that name a port to listen on. */
export type PortOption = 'PORT' | 'PROBE_PORT';

const PROBLEMS: Readonly<Record<string, readonly ['HOST' | 'PORT', string]>> = {
  EADDRINUSE: ['PORT', 'another process listens on it'],
  EACCES: ['PORT', 'this user may not listen on it; ports below 1024 are for root'],
  ENOTFOUND: ['HOST', 'there is no such address; `::` stands for all of this machine'],
  EAI_AGAIN: ['HOST', 'there is no such address; `::` stands for all of this machine'],
  EADDRNOTAVAIL: ['HOST', 'it is no address of this machine; `::` stands for all of them'],
};

/** Why listening failed: names the option to change, and where its value came from (some shells and tools set HOST). */
export function listenProblem(config: Config, error: unknown, port: PortOption = 'PORT'): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const [name, why] = PROBLEMS[code] ?? (['HOST', 'the server cannot listen there'] as const);
  const given = (option: 'HOST' | PortOption): string => `${option}=${config[option]} (${originOf(config, option)})`;
  return `${name === 'PORT' ? port : name}: ${why}. ${given('HOST')}, ${given(port)}: ${message}`;
}
