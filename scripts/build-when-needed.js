import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Run by `npm start` and `npm run carpool`: builds when a source is newer than what was built from it, or was never built. */

const root = fileURLToPath(new URL('..', import.meta.url));
const built = path.join(root, 'dist', 'src', 'cli.js');
const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');

// The compiler's and the server's errors on an old Node name no Node.
const wanted = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).engines.node.replace(/^>=/, '');
if (wanted.localeCompare(process.versions.node, 'en', { numeric: true }) > 0) {
  console.error(
    `This is Node ${process.version}, and Carpool needs ${wanted} or newer: nvm install 24 && nvm use 24, or https://nodejs.org`,
  );
  process.exit(1);
}

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
