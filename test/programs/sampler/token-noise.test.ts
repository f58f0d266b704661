import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TokenNoise } from '../../../src/programs/sampler/token-noise.ts';

test('noise is even, and differs by the whole seed, the step and the token', () => {
  const first = (seed: number): number => new TokenNoise(seed).of(0);
  const seeds = [0, 1, 2, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER];
  assert.equal(new Set(seeds.map(first)).size, seeds.length);
  assert.equal(first(42), first(42));
  for (const along of ['steps', 'tokens']) {
    const noise = new TokenNoise(1);
    const tenths = new Array<number>(10).fill(0);
    for (let index = 0; index < 100_000; index += 1) {
      if (along === 'steps') noise.next();
      const tenth = Math.floor(noise.of(along === 'steps' ? 7 : index) * 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    for (const count of tenths) assert.ok(Math.abs(count - 10_000) < 500, `${along}: ${tenths.join(', ')}`);
  }
});
