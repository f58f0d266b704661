import path from 'node:path';
import { nearName } from '../near-name.ts';
import { checkTogether } from './checks.ts';
import { ConfigError, parseOption, type Option } from './option.ts';
import { asTei } from './tei.ts';
import { isTeiOption } from './tei-options.ts';
import { OPTIONS, type Config, type OptionName } from './options.ts';

/** Where values may come from, by name of the option. A flag beats the environment, which beats carpool.json, which beats the default. */
export interface ConfigSources {
  readonly flags: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Parsed carpool.json; values may be text or of their own JSON type. */
  readonly file: Readonly<Record<string, unknown>>;
  /** Problems of the sources themselves, in words. */
  readonly problems?: readonly string[];
}

/** Reads and checks all options; pure except for a look at MODELS_DIR. Throws a ConfigError that lists every problem; the result is frozen. */
export function readConfig(sources: ConfigSources): Config {
  const { config, problems } = inspectConfig(sources);
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** The same, with the default of each option whose value is wrong, and the problems beside it. */
export function inspectConfig(sources: ConfigSources): { readonly config: Config; readonly problems: string[] } {
  const problems = [...(sources.problems ?? [])];
  const origins = new Map<string, string>();
  const read = readValues(sources, { problems, origins });
  for (const name of [...Object.keys(sources.flags), ...Object.keys(sources.file)])
    if (!Object.hasOwn(OPTIONS, name)) problems.push(`${name}: there is no such option${didYouMean(name)}`);
  const isSet = (name: OptionName): boolean => ['flag', 'environment'].includes(origins.get(name) ?? '');
  const values = asTei(read, isSet, problems);
  problems.push(...checkTogether(values));
  const config = Object.freeze({ ...values, MODELS_DIR: path.resolve(values.MODELS_DIR) });
  originsOf.set(config, origins);
  return { config, problems };
}

/** Every option's value, or its default where that is wrong. */
function readValues(
  sources: ConfigSources,
  { problems, origins }: { problems: string[]; origins: Map<string, string> },
): Config {
  const values: Record<string, unknown> = {};
  const [, modelId] = pick('MODEL_ID', sources);
  const isTei = modelId !== undefined && modelId !== '';
  for (const [name, option] of Object.entries<Option>(OPTIONS)) {
    const [origin, raw] = isTeiOption(name) && !isTei ? ['default', undefined] : pick(name, sources);
    origins.set(name, origin);
    values[name] = option.default;
    if (raw === undefined) continue;
    const parsed = parseOption(option, raw);
    if ('problem' in parsed) problems.push(`${name} (${origin}): ${parsed.problem}`);
    else values[name] = parsed.value;
  }
  // Each value has the type of its option's default, which the compiler cannot see here.
  return values as unknown as Config;
}

const originsOf = new WeakMap<Config, ReadonlyMap<string, string>>();

/** Where the value of an option came from: flag, environment, carpool.json or default. */
export function originOf(config: Config, name: OptionName): string {
  return originsOf.get(config)?.get(name) ?? 'default';
}

function didYouMean(name: string): string {
  const near = nearName(name, Object.keys(OPTIONS));
  return near === undefined ? '' : `. Did you mean ${near}?`;
}

function pick(name: string, sources: ConfigSources): [string, unknown] {
  if (Object.hasOwn(sources.flags, name)) return ['flag', sources.flags[name]];
  const fromEnvironment = sources.env[name];
  if (fromEnvironment !== undefined && fromEnvironment !== '') return ['environment', fromEnvironment];
  return Object.hasOwn(sources.file, name) ? ['carpool.json', sources.file[name]] : ['default', undefined];
}
