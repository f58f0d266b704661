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
  const names = [...text.matchAll(/\b[A-Z][A-Z\d_]+\b/g)]
    .map(([name]) => name as OptionName)
    .filter((name) => Object.hasOwn(OPTIONS, name));
  const [first] = names;
  if (first === undefined) return 'carpool help serve';
  // Of two that contradict each other, the one that was set.
  return leavingOut(config, [names.find((name) => originOf(config, name) !== 'default') ?? first]);
}

/** A command, or words, that bring the defaults of options back, by where the first of them was set. */
export function leavingOut(config: Config, names: readonly OptionName[]): string {
  const [first] = names;
  switch (first === undefined ? 'default' : originOf(config, first)) {
    case 'flag':
      return `leave ${names.map(flagOf).join(' and ')} out, or see \`carpool help serve\``;
    case 'carpool.json':
      return `take ${names.join(' and ')} out of carpool.json, or see \`carpool help serve\``;
    default:
      return `unset ${names.join(' ')}`;
  }
}

/** A path as an argument in a shell. */
export function quoted(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
