import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';

/** Run by `npm start` and `npm run carpool`: builds when a source is newer than what was built from it, or was never built. */

const root = path.join(import.meta.dirname, '..');
const built = path.join(root, 'dist', 'src', 'cli.js');
const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');

function newestMs(folder) {
  return Math.max(
    0,
    ...readdirSync(folder, { recursive: true }).map((name) => statSync(path.join(folder, String(name))).mtimeMs),
  );
}

const stale =
  !existsSync(built) || ['src', 'web'].some((folder) => newestMs(path.join(root, folder)) > statSync(built).mtimeMs);
// Without the compiler (a production image) there is nothing to build with, and what is there was built in the image.
if (stale && existsSync(compiler)) {
  console.error('Building from src/, which takes a while the first time ...');
  const run = (...args) => spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
  process.exitCode =
    run(compiler, '-b', root) ||
    run(path.join(root, 'scripts', 'pack-docs.js')) ||
    run(path.join(root, 'scripts', 'pack-web.js')) ||
    run(path.join(root, 'scripts', 'pack-site.js'));
  // The compiler writes only what has changed.
  if (process.exitCode === 0) utimesSync(built, new Date(), new Date());
}
