import { wrapped } from './command.ts';
import { flagOf } from './flags.ts';
import { hideCredentials, type Option } from './option.ts';
import { OPTIONS, type Config } from './options.ts';

/** All options as flags, for the help of `carpool serve` and `carpool work`, in lines of so many characters. */
export function optionsText(columns = 100): string {
  const head = 'A flag beats the environment variable of the same name, which beats carpool.json.';
  const lines = [wrapped(head, columns), ''];
  for (const [name, option] of Object.entries<Option>(OPTIONS)) {
    const value = option.type === 'boolean' ? '' : ` <${kindOf(option)}>`;
    lines.push(wrapped(`  ${flagOf(name)}${value}  (${name}, default ${shownDefault(option)})`, columns, 6));
    lines.push(wrapped(`      ${option.doc}`, columns, 6));
  }
  return lines.join('\n');
}

/** The table of docs/configuration.md. */
export function optionsMarkdown(): string {
  const rows = Object.entries<Option>(OPTIONS).map(
    ([name, option]) =>
      `| \`${name}\` | \`${flagOf(name)}\` | ${kindOf(option).replaceAll('|', ' \\| ')} | ${shownDefault(option)} | ${option.doc} |`,
  );
  return ['| variable | flag | type | default | what it does |', '|---|---|---|---|---|', ...rows].join('\n');
}

function kindOf(option: Option): string {
  if (option.type === 'choice') return option.choices;
  return option.unit === undefined ? option.type : `${option.type}, ${option.unit}`;
}

function shownDefault(option: Option): string {
  const { default: value } = option;
  if (typeof value === 'object') return 'none';
  return value === '' ? 'none' : `\`${value}\``;
}

/** Options as /info shows them: secrets are hidden, also within URLs. */
export function shownConfig(config: Config): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries<Option>(OPTIONS).map(([name, option]) => [
      name,
      option.secret === true ? '***' : shownValue(config[name as keyof Config]),
    ]),
  );
}

function shownValue(value: unknown): unknown {
  if (typeof value === 'string') return hideCredentials(value);
  // Lists and objects are JSON.
  return typeof value === 'object' ? (JSON.parse(hideCredentials(JSON.stringify(value))) as unknown) : value;
}
