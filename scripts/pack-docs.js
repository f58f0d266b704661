import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

/** Run by the build: packs the files of Swagger UI that /docs needs, beside the code that sends them, with its licence. */

const root = path.join(import.meta.dirname, '..');
const to = path.join(root, 'dist', 'src', 'http', 'openapi');
const from = path.dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

mkdirSync(to, { recursive: true });
for (const [file, name] of [
  ['swagger-ui-bundle.js', 'swagger-ui.js'],
  ['swagger-ui.css', 'swagger-ui.css'],
]) {
  // The same bytes for the same version, so that builds can be compared.
  const packed = gzipSync(readFileSync(path.join(from, file)), { level: 9 });
  const target = path.join(to, `${name}.gz`);
  if (!existsSync(target) || !readFileSync(target).equals(packed)) writeFileSync(target, packed);
}
for (const name of ['LICENSE', 'NOTICE']) copyFileSync(path.join(from, name), path.join(to, `swagger-ui.${name}`));
