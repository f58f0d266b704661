import { readFileSync } from 'node:fs';
import { messageOf } from './errors.ts';

/**
 * What is said when the program cannot be loaded, so that no check of its own runs: the error, and where an old Node or too few open files cause it, what
 * mends it. It imports nothing that an old Node cannot load.
 */
export function explainLoadFailure(error: unknown, nodeVersion: string = process.version): string {
  const message = messageOf(error);
  // First: no file can be read then.
  if ((error as NodeJS.ErrnoException | null)?.code === 'EMFILE')
    return `${message}\nThe limit of open files is too low: ulimit -n 10256`;
  const wanted = leastNode();
  if (wanted.localeCompare(nodeVersion.replace(/^v/, ''), 'en', { numeric: true }) > 0)
    return `${message}\nThis is Node ${nodeVersion}, and at least ${wanted} is wanted: nvm install 24 && nvm use 24, or https://nodejs.org`;
  return message;
}

function leastNode(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { engines: { node: string } }).engines.node.replace(/^>=/, '');
}
