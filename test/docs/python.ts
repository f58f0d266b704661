import { spawnSync } from 'node:child_process';
import path from 'node:path';

/** Pythons that .ci/run may have made, with the packages of clients, and that of the machine. */
const CANDIDATES = [
  ...(process.env['CARPOOL_CLIENTS_PYTHON'] ?? '').split(path.delimiter),
  process.env['CARPOOL_PYTHON'] ?? '',
  'python3',
].filter((candidate) => candidate !== '');

const found = new Map<string, string | undefined>();

/** The first Python that has all of these modules; undefined if there is none. */
export function pythonFor(modules: readonly string[]): string | undefined {
  const key = modules.toSorted().join();
  if (!found.has(key)) {
    const program = modules.map((name) => `import ${name}`).join('\n');
    found.set(
      key,
      CANDIDATES.find((python) => spawnSync(python, ['-c', program], { timeout: 60_000 }).status === 0),
    );
  }
  return found.get(key);
}
