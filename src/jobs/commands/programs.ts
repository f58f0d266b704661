import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { CommandRefused } from './refused.ts';

/** Whether JOB_COMMANDS allows any program. */
export function allowsCommands(list: readonly string[]): boolean {
  return list.some((entry) => entry !== 'false');
}

/** Which programs jobs may run: all (`true`), none (empty, or `false`), or those of a list. */
export class AllowedPrograms {
  readonly #list: readonly string[];
  readonly #searchPath: string;

  /** `searchPath`: the server's PATH. */
  constructor(list: readonly string[], searchPath: string) {
    this.#list = list;
    this.#searchPath = searchPath;
  }

  /** What is to be started for a job's `command`. Of a list, a program is looked for in the server's PATH, not in one of the job. Throws a CommandRefused. */
  async find(command: string): Promise<string> {
    if (this.#list.includes('true')) return command;
    if (!this.#list.includes(command))
      throw new CommandRefused(`command: ${command.slice(0, 200)} is not among those that this server runs`);
    if (command.includes('/')) return command;
    for (const folder of this.#searchPath.split(path.delimiter)) {
      const file = path.join(folder, command);
      if (path.isAbsolute(folder) && (await isProgram(file))) return file;
    }
    throw new CommandRefused(`command: ${command} is not in the PATH of this server`);
  }
}

async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
