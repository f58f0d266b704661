import { readOrRefuse, refuse } from './host.ts';
import { bashScript } from './shells/bash.ts';
import { completedCommand, type CompletedCommand } from './shells/completed.ts';
import { fishScript } from './shells/fish.ts';
import { zshScript } from './shells/zsh.ts';
import { COMMANDS, COMPLETION } from './specs.ts';

const SCRIPTS: Readonly<Record<string, (all: readonly CompletedCommand[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** `carpool completion`: scripts made from the table of commands and the table of options. What they complete with is in them, or read from the folder of models. */
export function completion(argv: readonly string[]): Promise<void> {
  const otherwise = 'Name one shell: bash, zsh or fish';
  const line = readOrRefuse(COMPLETION, argv, { operands: 1, otherwise });
  const [shell = ''] = line?.operands ?? [];
  const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
  if (line !== undefined && script === undefined) refuse(otherwise, COMPLETION);
  else if (script !== undefined) console.log(script(COMMANDS.map(completedCommand)));
  return Promise.resolve();
}
