import { existsSync, readFileSync } from 'node:fs';
import { parseFlags } from './flags.ts';
import { messageOf } from '../errors.ts';
import { parseObject } from './option.ts';
import { OPTIONS, type Config } from './options.ts';
import { inspectConfig, readConfig, type ConfigSources } from './read.ts';

/** The only reader of the environment. */

const CONFIG_FILE = 'carpool.json';

/** Configuration of this process: its flags, its environment and `carpool.json` in the working folder. Throws a ConfigError with every problem. */
export function readProcessConfig(argv: readonly string[]): Config {
  return readConfig(sourcesOf(argv));
}

/** The same, with the default of each option whose value is wrong, and the problems beside it. */
export function inspectProcessConfig(argv: readonly string[]): ReturnType<typeof inspectConfig> {
  return inspectConfig(sourcesOf(argv));
}

function sourcesOf(argv: readonly string[]): ConfigSources {
  const { flags, problems } = parseFlags(argv);
  const { file, problem } = readConfigFile();
  return {
    flags,
    env: process.env,
    file,
    problems: [...problems, ...(problem === undefined ? [] : [`${CONFIG_FILE}: ${problem}`])],
  };
}

/** Whether a variable that is none of the options, such as one of Amazon's SDK, is set; its value is not told. */
export function isSetInEnvironment(name: string): boolean {
  return (process.env[name] ?? '') !== '';
}

/** Whether a script of npm has started this process (`npm start`). */
export function isRunByNpm(): boolean {
  return process.env['npm_lifecycle_event'] !== undefined;
}

function readConfigFile(): { file: Record<string, unknown>; problem?: string } {
  if (!existsSync(CONFIG_FILE)) return { file: {} };
  try {
    const parsed = parseObject(readFileSync(CONFIG_FILE, 'utf8'));
    return 'problem' in parsed ? { file: {}, problem: parsed.problem } : { file: parsed.value };
  } catch (error) {
    return { file: {}, problem: messageOf(error) };
  }
}

/**
 * The environment for onnxruntime-node's install step: with the variable that makes it install, and the proxy under the names that its
 * library (global-agent) reads.
 */
export function installEnvironment(): NodeJS.ProcessEnv {
  const { env } = process;
  const https = env['HTTPS_PROXY'] ?? env['https_proxy'];
  return {
    ...env,
    ONNXRUNTIME_NODE_INSTALL: 'true',
    ...(https === undefined ? {} : { GLOBAL_AGENT_HTTPS_PROXY: https, GLOBAL_AGENT_HTTP_PROXY: https }),
  };
}

/** What programs of jobs get of this process's environment: all but its own secrets. Those that they may need as well, such as the keys of a bucket, are none of its options. */
export function commandEnvironment(): Readonly<Record<string, string | undefined>> {
  const isSecret = (name: string): boolean =>
    Object.entries(OPTIONS).some(([key, { secret }]) => key === name && secret);
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isSecret(name)));
}
