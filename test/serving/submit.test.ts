import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { post, startTestServer, type Answer, type TestServer } from '../http/in-process.ts';

/** The door to inference, as requests see it: many rows are cut into batches and joined again, and each item stands for itself. */

let server: TestServer;
before(async () => {
  server = await startTestServer({
    MODELS: 'square,voice-activity',
    DEFAULT_MODEL: 'square',
    ITEM_LIMIT: '100',
    MODEL_OPTIONS: JSON.stringify({
      square: { batching: { maxItems: 8 }, queue: { maxItems: 64 } },
      'voice-activity': { batching: { maxItems: 2 } },
    }),
  });
});
after(() => server[Symbol.asyncDispose]());

const infer = (model: string, inputs: unknown): Promise<Answer> =>
  post(`${server.url}/v2/models/${model}/infer`, JSON.stringify({ inputs }));
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
const squareOf = (data: number[], shape = [data.length]) =>
  infer('square', [{ name: 'x', shape, datatype: 'FP64', data }]);

interface Output {
  readonly name: string;
  readonly shape: number[];
  readonly data: number[];
}
const outputsOf = ({ status, json }: Answer): Output[] => {
  assert.equal(status, 200, JSON.stringify(json));
  return (json as { outputs: Output[] }).outputs;
};
const codeOf = ({ status, json }: Answer): [number, string] => [status, (json as { code: string }).code];

test('more rows than a batch holds come back as one tensor, in order', async () => {
  for (const count of [1, 8, 9, 50, 64]) {
    const [output] = outputsOf(await squareOf(numbers(count)));
    assert.deepEqual(output?.shape, [count]);
    assert.deepEqual(
      output.data,
      numbers(count).map((x) => x * x),
    );
  }
});

test('rows on another axis than the first are cut and joined along it, and a shared input goes with each part', async () => {
  const rows = 5;
  const input = Array.from({ length: rows * 576 }, (_, at) => Math.sin(at / (3 + Math.floor(at / 576))));
  const state = new Array<number>(2 * rows * 128).fill(0);
  const vad = (from: number, count: number) =>
    infer('voice-activity', [
      { name: 'input', shape: [count, 576], datatype: 'FP32', data: input.slice(from * 576, (from + count) * 576) },
      { name: 'state', shape: [2, count, 128], datatype: 'FP32', data: state.slice(0, 2 * count * 128) },
      { name: 'sr', shape: [], datatype: 'INT64', data: [16_000] },
    ]);
  const together = outputsOf(await vad(0, rows));
  const alone = await Promise.all(numbers(rows).map(async (row) => outputsOf(await vad(row - 1, 1))));
  const find = (outputs: Output[], name: string): Output => {
    const output = outputs.find((entry) => entry.name === name);
    assert.ok(output !== undefined);
    return output;
  };
  const next = find(together, 'stateN');
  assert.deepEqual(next.shape, [2, rows, 128]);
  for (const [row, outputs] of alone.entries()) {
    const expected = find(outputs, 'stateN').data;
    for (let layer = 0; layer < 2; layer += 1)
      for (let at = 0; at < 128; at += 1) {
        const given = next.data[(layer * rows + row) * 128 + at] ?? NaN;
        assert.ok(Math.abs(given - (expected[layer * 128 + at] ?? NaN)) < 1e-5);
      }
  }
});

test('more rows than there are permits, or than a request may have, are too large', async () => {
  assert.deepEqual(codeOf(await squareOf(numbers(65))), [413, 'TOO_LARGE']);
  assert.deepEqual(codeOf(await squareOf(numbers(101))), [413, 'TOO_LARGE']);
  assert.deepEqual(codeOf(await post(`${server.url}/predict`, JSON.stringify({ items: numbers(65) }))), [
    413,
    'TOO_LARGE',
  ]);
  assert.equal((await post(`${server.url}/predict`, '{"data":2}')).status, 200);
});

test('an input without elements is refused before it reaches the lane', async () => {
  const answer = await squareOf([], [0]);
  assert.ok(answer.status === 400 || answer.status === 422, String(answer.status));
});

test('items of one request stand for themselves, and permits of refused ones come back', async () => {
  const items = [2, 'x', 3, { a: 1 }, 5];
  const { status, json } = await post(`${server.url}/predict`, JSON.stringify({ items }));
  assert.equal(status, 200);
  const { results } = json as { results: { result?: unknown; code?: string }[] };
  assert.deepEqual(
    results.map(({ result, code }) => result ?? code),
    [4, 'INVALID_INPUT', 9, 'INVALID_INPUT', 25],
  );
  const info = (await (await fetch(`${server.url}/info`)).json()) as { models: { queue: { permits: number } }[] };
  assert.ok(info.models.every(({ queue }) => queue.permits === 0));
});
