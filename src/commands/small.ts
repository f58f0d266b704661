import { text as textOf } from 'node:stream/consumers';
import { readCommand, usageOf, wrapped } from '../config/command.ts';
import { HASH_KEY, hashedText, hashKey } from '../config/hash-key.ts';
import { nearName } from '../near-name.ts';
import { helpColumns, print, refuse } from './host.ts';
import { COMMANDS, findCommand, HELP } from './specs.ts';

/** `carpool help` and `carpool hash-key`. */

/** The list of all commands. */
export function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  return [
    'Usage: carpool <command> [flags]',
    '',
    ...COMMANDS.map(({ name, summary }) => wrapped(`  ${name.padEnd(width)}  ${summary}`, helpColumns(), width + 4)),
    '',
    '`carpool help <command>` says more, `carpool --version` which version this is.',
  ].join('\n');
}

/** Says that there is no command of this name, and which one may have been meant. The exit code is 2. */
export function refuseCommand(name: string, rest: readonly string[] = []): void {
  const near = nearName(
    name,
    COMMANDS.flatMap((spec) => [spec.name, ...(spec.aliases ?? [])]),
  );
  const meant = name.startsWith('-') ? ['serve', name, ...rest].join(' ') : (near ?? ELSEWHERE[name]);
  console.error(
    `${name}: there is no such command${meant === undefined ? '' : `. Did you mean carpool ${meant}?`}\n\`carpool help\` lists the commands.`,
  );
  process.exitCode = 2;
}

/** Commands of other programs, by ours. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ...{ start: 'serve', up: 'serve', server: 'serve', init: 'serve', infer: 'run', predict: 'run', chat: 'run chat' },
  ...{ remove: 'rm', delete: 'rm', create: 'pull', get: 'pull', download: 'pull', benchmark: 'bench', check: 'doctor' },
};

export async function help(argv: readonly string[]): Promise<void> {
  const line = readCommand(HELP, argv);
  if ('problem' in line) refuse(line.problem, HELP);
  else if (line.operands.length > 1) refuse('Name one command', HELP);
  else {
    const [name] = line.operands;
    if (name === undefined) console.log(overview());
    else await helpOf(name);
  }
}

/** Prints the help of a command: of `serve` and `work` with all options. */
export async function helpOf(name: string): Promise<void> {
  const spec = findCommand(name);
  if (spec === undefined) refuseCommand(name);
  else if (spec.name === 'serve' || spec.name === 'work') {
    const { optionsText } = await import('../config/help.ts');
    console.log(`${usageOf({ ...spec, takesOptions: false }, helpColumns())}\n\n${optionsText(helpColumns())}`);
  } else console.log(usageOf(spec, helpColumns()));
}

export async function tellHash(argv: readonly string[]): Promise<void> {
  const line = readCommand(HASH_KEY, argv);
  const [name = 'key', other] = 'problem' in line ? [] : line.operands;
  if ('problem' in line) refuse(line.problem, HASH_KEY);
  else if (other !== undefined || !/^[\w.-]{1,64}$/.test(name))
    refuse('hash-key takes one name, of letters, digits, dots, hyphens and underscores', HASH_KEY);
  else {
    const given = process.stdin.isTTY ? '' : await textOf(process.stdin);
    const hashed = hashKey(name, given === '' ? undefined : given);
    print(hashed, line.values['json'] === 'true', () => hashedText(hashed));
  }
}
