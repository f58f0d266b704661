import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

/** Packs files for browsers, as src/web/static-files.ts reads them. */

const TYPES = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};

/** A name for a text: another one for another text. */
export function digestOf(text) {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** One digest of all files: texts by name. */
export function digestOfAll(files) {
  return digestOf(
    [...files]
      .sort()
      .map(([name, text]) => `${name}\n${text}`)
      .join('\n'),
  );
}

/** Writes files, texts by name, into a folder in two codings, with an index of their types and tags; `what` is told with their size. */
export function packFiles(what, to, files, build = digestOfAll(files)) {
  const list = Object.fromEntries(
    [...files].map(([name, text]) => [name, { type: TYPES[path.extname(name)], etag: digestOf(text) }]),
  );
  const index = JSON.stringify({ build, files: list });
  const indexFile = path.join(to, 'files.json');
  // The best compression takes a second, and most builds change nothing here.
  if (!existsSync(indexFile) || readFileSync(indexFile, 'utf8') !== index) {
    rmSync(to, { recursive: true, force: true });
    for (const [name, text] of files) packFile(path.join(to, name), Buffer.from(text));
    writeFileSync(indexFile, index);
  }
  const packed = readdirSync(to, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.br'))
    .map((name) => readFileSync(path.join(to, name)).length);
  console.log(
    `${what}: ${files.size} files, ${Math.round(packed.reduce((sum, size) => sum + size, 0) / 1000)} kB packed.`,
  );
}

function packFile(target, bytes) {
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(`${target}.gz`, gzipSync(bytes, { level: 9 }));
  writeFileSync(
    `${target}.br`,
    brotliCompressSync(bytes, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
    }),
  );
}
