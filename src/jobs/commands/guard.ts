import { spawn, type ChildProcess } from 'node:child_process';

/** Reads the number of a process group, and then a line that never comes if the server dies: the pipe is closed instead. */
const SCRIPT = 'read -r group && { read -r over || kill -KILL "-$group"; }';

/**
 * A small process that outlives the server and ends the group of its command: a command does not notice the death of its parent, and would go on to write
 * checkpoints beside those of the server that has taken its job over. (Node has no PR_SET_PDEATHSIG, which would not reach the children of the command either.)
 */
export class Guard {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** Rejects if there is no shell to run it. */
  static async start(): Promise<Guard> {
    // A group of its own: it must not get the signals of the command, nor those of the server's terminal.
    const process = spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    await new Promise<void>((resolve, reject) => {
      process.once('spawn', resolve);
      process.once('error', reject);
    });
    // It may have been killed: then the command goes unguarded.
    process.stdin.on('error', () => undefined);
    process.unref();
    return new Guard(process);
  }

  watch(group: number): void {
    this.#process.stdin?.write(`${group}\n`);
  }

  /** The group is gone. */
  release(): void {
    this.#process.stdin?.end('over\n');
  }
}
