import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { TEXT_CLIENTS, findClient, tryClient } from '../../../tools/clients/table.ts';
import { pathOf } from '../support.ts';
import { Carpool } from '../../process/carpool.ts';

/** Answers of text tasks against those of transformers' pipelines, for tiny models of random weights in the hub's layout (tools/text-reference/make.py). */

interface Case {
  readonly text: unknown;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly answer: unknown;
}

const FOLDER = pathOf('test/tasks/text/reference');
/** Float32 sums in another order differ in the last digits. */
const TOLERANCE = 2e-5;

let carpool: Carpool;
before(async () => {
  carpool = await Carpool.start({ MODELS_DIR: FOLDER });
});
after(() => carpool[Symbol.asyncDispose]());

/** Fails where two JSON values differ by more than the tolerance in a number. */
function close(actual: unknown, expected: unknown, path = ''): void {
  if (typeof expected === 'number' && typeof actual === 'number') {
    assert.ok(Math.abs(actual - expected) <= TOLERANCE, `${path}: ${actual} is not ${expected}`);
  } else if (typeof expected === 'object' && expected !== null && typeof actual === 'object' && actual !== null) {
    assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort(), path);
    for (const [key, value] of Object.entries(expected))
      close((actual as Record<string, unknown>)[key], value, `${path}.${key}`);
  } else assert.deepEqual(actual, expected, path);
}

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.json'))) {
  const model = file.slice(0, -'.json'.length);
  test(`answers are those of transformers: ${model}`, async () => {
    const cases = JSON.parse(readFileSync(`${FOLDER}/${file}`, 'utf8')) as Case[];
    for (const { text, parameters, answer } of cases) {
      const { status, body: told } = await carpool.post(`/models/${model}`, { inputs: text, parameters });
      assert.equal(status, 200, JSON.stringify(told));
      close(told, answer, JSON.stringify(parameters));
    }
  });
}

test('a model for zero-shot classification classifies texts without labels, and refuses labels that are none', async () => {
  const plain = await carpool.post('/models/zero-shot', { inputs: ['A text.', 'Another one.'] });
  assert.equal(plain.status, 200, JSON.stringify(plain.body));
  const rows = plain.body as { readonly label: string }[][];
  const labels = ['contradiction', 'entailment', 'neutral'];
  for (const row of rows) assert.deepEqual(row.map(({ label }) => label).sort(), labels);
  assert.equal(rows.length, 2);
  for (const parameters of [
    { candidate_labels: [] },
    { candidate_labels: ' , ' },
    { candidate_labels: null },
    { candidate_labels: ['a'], hypothesis_template: 'no place' },
  ]) {
    const { status, body } = await carpool.post('/models/zero-shot', { inputs: 'A text.', parameters });
    assert.equal(status, 422, JSON.stringify(body));
  }
});

test('a question without a text, or with windows that share too much, is refused', async () => {
  const question = 'Who?';
  const long = 'London is. '.repeat(3_000);
  const refused: [unknown, Record<string, unknown>, number][] = [
    ['Who?', {}, 422],
    [{ question, context: ' ' }, {}, 422],
    [{ question, context: 'London' }, { doc_stride: 48 }, 422],
    [{ question, context: 'London' }, { max_seq_len: 4 }, 422],
    [{ question, context: long }, { max_seq_len: 20, doc_stride: 14 }, 413],
  ];
  for (const [inputs, parameters, expected] of refused) {
    const { status, body } = await carpool.post('/models/question-answering', { inputs, parameters });
    assert.equal(status, expected, JSON.stringify(body));
  }
});

test('places of an answer are counted in characters of the context as it was sent', async () => {
  const context = '🚗🚗 naïvely  in London';
  const asked = { inputs: { question: 'Who?', context }, parameters: { top_k: 5 } };
  const { body } = await carpool.post('/models/question-answering', asked);
  const found = body as { readonly start: number; readonly end: number; readonly answer: string }[];
  assert.equal(found.length, 5);
  for (const { start, end, answer } of found) assert.equal(Array.from(context).slice(start, end).join(''), answer);
});

for (const client of TEXT_CLIENTS) {
  const installed = findClient(client);
  const skip = installed !== undefined ? false : `${client.needs ?? ''} is not installed: see tools/clients/README.md`;
  test(`${client.title}: what its documentation does first`, { skip, timeout: 60_000 }, async () => {
    const models = {
      'token-classification': 'ner',
      'zero-shot-classification': 'zero-shot',
      'question-answering': 'question-answering',
      'fill-mask': 'fill-mask',
    };
    assert.ok(installed);
    const features = await tryClient(client, installed, { url: carpool.url, models });
    assert.deepEqual(
      features.filter(({ skipped }) => skipped === undefined).map(({ feature, ok, error }) => [feature, ok, error]),
      [
        ['entities', true, undefined],
        ['zero-shot', true, undefined],
        ['question answering', true, undefined],
        ['fill-mask', true, undefined],
      ],
    );
  });
}
