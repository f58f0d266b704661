import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { align, medianFilter, tokenTimes, warp } from '../../../src/tasks/transcription/token-times.ts';
import { float32 } from '../../../src/tensors/tensor.ts';

/** Made by tools/whisper-reference/token_times.py with Python transformers. */
interface Case {
  readonly heads: number;
  readonly tokens: number;
  readonly frames: number;
  readonly text: number;
  readonly times: readonly number[];
  readonly median: readonly number[];
}
const FILE = new URL('../../../../test/tasks/transcription/token-times-reference.json', import.meta.url);
const cases = JSON.parse(await readFile(FILE, 'utf8')) as readonly Case[];

/** The formula of the script. */
function attention({ heads, tokens, frames }: Case): Float32Array {
  const values = new Float32Array(heads * tokens * frames);
  for (let head = 0; head < heads; head += 1)
    for (let token = 0; token < tokens; token += 1) {
      const row = Array.from({ length: frames }, (_, frame) => {
        const place = (token + 0.5) / tokens + 0.02 * Math.sin(3 * token + head);
        const away = ((frame + 0.5) / frames - place) * tokens;
        return Math.exp(-away * away) + 0.05 * (1 + Math.sin(token * 7 + frame * 1.7 + head));
      });
      const sum = row.reduce((one, other) => one + other, 0);
      values.set(
        row.map((value) => value / sum),
        (head * tokens + token) * frames,
      );
    }
  return values;
}

for (const one of cases) {
  const { heads, tokens, frames, text } = one;
  const name = `${heads} heads, ${tokens} tokens, ${frames} frames`;
  test(`tokens begin where transformers says: ${name}`, () => {
    const times = tokenTimes({ values: attention(one), heads, tokens, frames }, text);
    assert.deepEqual(
      times.map((time) => Math.round(time * 100) / 100),
      one.times,
    );
  });

  test(`the median filter is that of transformers: ${name}`, () => {
    const filtered = medianFilter(attention(one).subarray(0, frames));
    for (const [place, value] of one.median.entries())
      assert.ok(Math.abs((filtered[place] ?? NaN) - value) < 1e-6, `at ${place}`);
  });
}

test('a row shorter than the filter stays as it is', () => {
  assert.deepEqual([...medianFilter(Float32Array.of(3, 1, 2))], [3, 1, 2]);
});

test('the cheapest way begins in each row once, and never goes back', () => {
  // Cheap cells: row 0 in columns 0 and 1, row 1 in column 2, row 2 in 3 and 4.
  const cost = Float32Array.of(...[0, 0, 9, 9, 9], ...[9, 9, 0, 9, 9], ...[9, 9, 9, 0, 0]);
  assert.deepEqual(warp(cost, 3, 5), [0, 2, 3]);
  assert.deepEqual(warp(Float32Array.of(1, 1, 1), 3, 1), [0, 0, 0]);
});

test('attention that is not of the text is no alignment', () => {
  const tensor = float32([1, 1, 3, 4], new Float32Array(12));
  assert.throws(() => align(tensor, [1, 2, 3]), /not of this text/);
  assert.equal(align(tensor, [1]).length, 2);
});
