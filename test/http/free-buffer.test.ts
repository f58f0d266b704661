import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeBuffer } from '../../src/http/free-buffer.ts';
import { GrowingBytes } from '../../src/http/growing-bytes.ts';

test('a large buffer is freed at once, a small one is left to the collector', () => {
  const [large, small] = [new Uint8Array(2_000_000), new Uint8Array(100)];
  const before = process.memoryUsage().arrayBuffers;
  freeBuffer(large.buffer);
  freeBuffer(small.buffer);
  assert.deepEqual([large.byteLength, small.byteLength], [0, 100]);
  assert.ok(process.memoryUsage().arrayBuffers <= before);
});

test('bytes that grow end in a buffer of just their length, announced or not', () => {
  const piece = Uint8Array.from({ length: 70_000 }, (_, at) => at);
  for (const declaredBytes of [undefined, 70_000 * 40, 70_000 * 50]) {
    const growing = new GrowingBytes({ limitBytes: 10_000_000, declaredBytes });
    for (let count = 0; count < 40; count += 1) growing.add(piece);
    const whole = growing.whole();
    assert.deepEqual([whole.byteLength, whole.buffer.byteLength, growing.length], [2_800_000, 2_800_000, 2_800_000]);
    for (let at = 0; at < whole.length; at += 9973) assert.equal(whole[at], (at % 70_000) & 255);
    growing.free();
    assert.deepEqual([whole.byteLength, growing.length], [0, 0]);
  }
});

test('bytes that grow take all of their buffer from the account, at most twice what has arrived, and give it back', () => {
  for (const declaredBytes of [undefined, 400_000, 4_000_000]) {
    let taken = 0;
    const account = { take: (bytes: number) => (taken += bytes), give: (bytes: number) => (taken -= bytes) };
    const growing = new GrowingBytes({ limitBytes: 4_000_000, declaredBytes, account });
    for (let count = 1; count <= 40; count += 1) {
      growing.add(new Uint8Array(10_000));
      assert.ok(taken >= growing.length && taken <= 2 * growing.length, `${taken} for ${growing.length}`);
    }
    growing.whole();
    assert.equal(taken, 400_000);
    growing.free();
    assert.equal(taken, 0);
  }
});

test('bytes that the account refuses are not added', () => {
  const full = () => {
    throw new Error('full');
  };
  const growing = new GrowingBytes({ limitBytes: 100, account: { take: full, give: () => undefined } });
  assert.throws(() => growing.add(new Uint8Array(1)), /full/);
  assert.equal(growing.length, 0);
});
