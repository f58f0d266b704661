import type { Config } from '../config/options.ts';
import { originOf } from '../config/read.ts';

const PROBLEMS: Readonly<Record<string, readonly ['HOST' | 'PORT', string]>> = {
  EADDRINUSE: ['PORT', 'another process listens on it'],
  EACCES: ['PORT', 'this user may not listen on it; ports below 1024 are for root'],
  ENOTFOUND: ['HOST', 'there is no such address; `::` stands for all of this machine'],
  EAI_AGAIN: ['HOST', 'there is no such address; `::` stands for all of this machine'],
  EADDRNOTAVAIL: ['HOST', 'it is no address of this machine; `::` stands for all of them'],
};

/** Why listening failed: names the option to change, and where its value came from (some shells and tools set HOST). */
export function listenProblem(config: Config, error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const [name, why] = PROBLEMS[code] ?? (['HOST', 'the server cannot listen there'] as const);
  const address = `HOST=${config.HOST} (${originOf(config, 'HOST')}), PORT=${config.PORT} (${originOf(config, 'PORT')})`;
  return `${name}: ${why}. ${address}: ${message}`;
}
