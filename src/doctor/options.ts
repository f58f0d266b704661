import path from 'node:path';
import { flagOf } from '../config/flags.ts';
import { OPTIONS, type Config, type OptionName } from '../config/options.ts';
import { originOf } from '../config/read.ts';
import { ok, problem, type Found, type Patient } from './finding.ts';

/** Options with wrong values, and options that contradict each other. */
export function checkOptions({ config, problems }: Patient): Promise<Found[]> {
  const found = problems.map((text) => problem(text, cureOf(text, config)));
  const set = (Object.keys(OPTIONS) as OptionName[]).filter((name) => originOf(config, name) !== 'default');
  return Promise.resolve(found.length > 0 ? found : [ok(`${set.length} set, none of them wrong`)]);
}

/** A command for what is wrong with an option: leaving it out brings its default back, which never contradicts another one. */
function cureOf(text: string, config: Config): string {
  if (text.startsWith('MODELS_DIR: there is no folder')) return `mkdir -p ${quoted(path.resolve(config.MODELS_DIR))}`;
  if (text.startsWith('carpool.json:')) return "node -e \"JSON.parse(fs.readFileSync('carpool.json', 'utf8'))\"";
  const [name = ''] = /^[A-Z][A-Z0-9_]+/.exec(text) ?? [];
  if (!Object.hasOwn(OPTIONS, name)) return 'carpool help serve';
  switch (originOf(config, name as OptionName)) {
    case 'flag':
      return `leave ${flagOf(name)} out, or see \`carpool help serve\``;
    case 'carpool.json':
      return `take ${name} out of carpool.json, or see \`carpool help serve\``;
    default:
      return `unset ${name}`;
  }
}

/** A path as an argument in a shell. */
export function quoted(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
