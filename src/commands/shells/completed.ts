import type { CommandSpec, Flag, Operand } from '../../config/command.ts';
import { flagOf } from '../../config/flags.ts';
import type { Option } from '../../config/option.ts';
import { OPTIONS } from '../../config/options.ts';

/** Commands and flags as shells complete them. */

/** What a value may be: anything, a path, a model of the folder, or one of these words. */
export type Completed = 'any' | 'file' | 'folder' | 'model' | readonly string[];

export interface CompletedFlag {
  /** `--models-dir`. */
  readonly flag: string;
  readonly letter?: string | undefined;
  /** One line. */
  readonly doc: string;
  /** Absent: it is a switch. */
  readonly value?: Completed | undefined;
}

export interface CompletedCommand {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  /** Its own; `--help` among them. */
  readonly flags: readonly CompletedFlag[];
  /** Whether it takes OPTION_COMPLETIONS as well. */
  readonly takesOptions: boolean;
  readonly operand: Operand;
}

const MOST_LETTERS = 90;

const HELP: CompletedFlag = { flag: '--help', letter: 'h', doc: 'says what the command does' };

export function completedCommand(spec: CommandSpec): CompletedCommand {
  const { name, aliases = [], summary, takesOptions, operand } = spec;
  const flags = Object.entries(spec.flags).map(([flag, about]) => completedFlag(flag, about));
  return { name, aliases, summary, takesOptions, operand, flags: [...flags, HELP] };
}

function completedFlag(name: string, { value, doc, choices, letter }: Flag): CompletedFlag {
  const kind = choices ?? (value === undefined ? undefined : kindOfValue(value));
  return { flag: `--${name}`, letter, doc: oneLine(doc), value: kind };
}

function kindOfValue(shown: string): Completed {
  if (shown.includes('folder')) return 'folder';
  return /file/.test(shown) ? 'file' : shown === '<model>' ? 'model' : 'any';
}

/** The flags of the configuration, which most commands take. */
export const OPTION_COMPLETIONS: readonly CompletedFlag[] = Object.entries<Option>(OPTIONS).map(([name, option]) => ({
  flag: flagOf(name),
  doc: oneLine(option.doc),
  value: option.type === 'boolean' ? undefined : kindOfOption(name, option),
}));

function kindOfOption(name: string, option: Option): Completed {
  if (option.type === 'choice') return option.choices.split('|').filter((word) => !/[A-Z]/.test(word));
  if (/_(DIR|FOLDER)$/.test(name)) return 'folder';
  if (/_(FILE|CREDS|CA|MAP)$/.test(name)) return 'file';
  return name === 'DEFAULT_MODEL' || name === 'MODELS' ? 'model' : 'any';
}

/** The first sentence of a text, without what shells would take for their own. */
function oneLine(text: string): string {
  const [first = ''] = text.replaceAll(/[`"'\\$[\]{}]/g, '').split(/(?<=\w)[.;:] /, 1);
  const plain = first.replace(/\.$/, '').replaceAll(':', '');
  return plain.length <= MOST_LETTERS ? plain : `${plain.slice(0, MOST_LETTERS - 3)}...`;
}
