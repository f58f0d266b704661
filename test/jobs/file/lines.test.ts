import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readLines, type Line } from '../../../src/jobs/file/lines.ts';

async function linesOf(pieces: readonly Uint8Array[], limitBytes = 1000, startByte = 0): Promise<Line[]> {
  async function* source(): AsyncGenerator<Uint8Array> {
    for (const piece of pieces) yield await Promise.resolve(piece);
  }
  const lines: Line[] = [];
  for await (const some of readLines(source(), { startByte, startLine: 1, limitBytes })) lines.push(...some);
  return lines;
}

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.byteLength + 1)).sort((a, b) => a - b), bytes.byteLength];
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

test('wherever a file is cut into pieces, its lines, their numbers and their ends are the same', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'ä', '\n', '\r\n', ' ', '{') });
  await fc.assert(
    fc.asyncProperty(text, fc.array(fc.nat(200)), async (content, places) => {
      const bytes = Buffer.from(content);
      const found = await linesOf(cut(bytes, places));
      const expected: { text: string; number: number; endByte: number }[] = [];
      let at = 0;
      for (const [index, line] of content.split('\n').entries()) {
        at = Math.min(bytes.byteLength, at + Buffer.byteLength(line) + 1);
        const trimmed = line.replaceAll(/^[ \r\t]+|[ \r\t]+$/g, '');
        if (trimmed !== '') expected.push({ text: trimmed, number: index + 1, endByte: at });
      }
      assert.deepEqual(
        found.map(({ bytes: line, number, endByte }) => ({ text: Buffer.from(line).toString(), number, endByte })),
        expected,
      );
    }),
  );
});

test('a line that is too long is told, not held, and the next one is read', async () => {
  const [long, next] = await linesOf(
    [Buffer.from('x'.repeat(60)), Buffer.from('x'.repeat(60)), Buffer.from('\nab\n')],
    100,
  );
  assert.deepEqual({ ...long, bytes: long?.bytes.byteLength }, { bytes: 0, number: 1, endByte: 121, isTooLong: true });
  assert.equal(Buffer.from(next?.bytes ?? []).toString(), 'ab');
});

test('ends count from the place where reading begins', async () => {
  const [line] = await linesOf([Buffer.from('ab\n')], 100, 50);
  assert.equal(line?.endByte, 53);
});
