import assert from 'node:assert/strict';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { chooseEncoding, compress } from '../../src/http/encoding.ts';

const NATIVE = ['zstd', 'gzip', 'br', 'deflate'];
const HAS_ZSTD = 'zstdCompress' in zlib;

/** Accept-Encoding, and the coding chosen where all are offered; undefined: as it is. */
for (const [accept, coding] of [
  [undefined, undefined],
  ['', undefined],
  ['gzip', 'gzip'],
  ['gzip, deflate, br', 'gzip'],
  ['br;q=1, gzip;q=0.5', 'br'],
  ['gzip;q=0', undefined],
  ['gzip;q=0, br', 'br'],
  ['identity', undefined],
  ['identity, gzip;q=0.5', undefined],
  ['gzip;q=0.5, identity;q=0.4', 'gzip'],
  ['compress', undefined],
  ['*;q=0', undefined],
  ['nonsense;;;=', undefined],
] as const)
  test(`Accept-Encoding ${JSON.stringify(accept)}: ${coding ?? 'as it is'}`, () => {
    assert.equal(chooseEncoding(accept, NATIVE), coding);
  });

test('our order decides where the client has no preference', () => {
  assert.equal(chooseEncoding('*', ['deflate', 'gzip']), 'deflate');
  assert.equal(chooseEncoding('*', ['gzip', 'deflate']), 'gzip');
});

test('zstd is offered where Node has it, and nowhere else', () => {
  assert.equal(chooseEncoding('zstd', NATIVE), HAS_ZSTD ? 'zstd' : undefined);
});

const chunks = [Buffer.from('a'.repeat(700)), Buffer.from('b'.repeat(700))];
const plain = Buffer.concat(chunks);
const decoders: Readonly<Record<string, (bytes: Uint8Array) => Buffer>> = {
  gzip: zlib.gunzipSync,
  deflate: zlib.inflateSync,
  br: zlib.brotliDecompressSync,
  ...(HAS_ZSTD ? { zstd: (zlib as unknown as { zstdDecompressSync: typeof zlib.gunzipSync }).zstdDecompressSync } : {}),
};
for (const [coding, decode] of Object.entries(decoders))
  test(`compresses several chunks and one into ${coding}`, async () => {
    for (const body of [chunks, [plain]]) {
      const answer = await compress(body, coding);
      assert.equal(answer.coding, coding);
      assert.deepEqual(decode(Buffer.concat(answer.chunks)), plain);
    }
  });

test('a short body and an unknown coding are left as they are', async () => {
  const short = [Buffer.from('short')];
  assert.deepEqual(await compress(short, 'gzip'), { chunks: short });
  assert.deepEqual(await compress(chunks, undefined), { chunks });
  assert.deepEqual(await compress(chunks, 'rot13'), { chunks });
});
