import { readFileSync } from 'node:fs';
import { messageOf } from './errors.ts';

/** What keeps the program from being loaded, so that no check of its own runs. It imports nothing that an old Node cannot load. */

/** Throws a plain Error on a Node that is too old, before the errors that would follow from that. */
export function checkNode(nodeVersion: string = process.version): void {
  const wanted = leastNode();
  if (wanted.localeCompare(nodeVersion.replace(/^v/, ''), 'en', { numeric: true }) > 0)
    throw new Error(
      `This is Node ${nodeVersion}, and Carpool needs ${wanted} or newer: nvm install 24 && nvm use 24, or https://nodejs.org`,
    );
}

/** What is said of an error that ends the program, with what mends it where that is known. */
export function explainLoadFailure(error: unknown): string {
  const message = messageOf(error);
  // No file can be read then.
  return (error as NodeJS.ErrnoException | null)?.code === 'EMFILE'
    ? `${message}\nThe limit of open files is too low: ulimit -n 10256`
    : message;
}

function leastNode(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { engines: { node: string } }).engines.node.replace(/^>=/, '');
}
