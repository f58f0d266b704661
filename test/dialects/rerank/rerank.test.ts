import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeRerank, encodeRerank } from '../../../src/dialects/rerank/rerank.ts';
import type { ItemResult } from '../../../src/dialects/shared/results.ts';
import { ServerError } from '../../../src/errors.ts';

const decode = (fields: object) =>
  decodeRerank(Buffer.from(JSON.stringify({ query: 'q', documents: ['a'], ...fields })), { itemLimit: 4 });

function refused(param: string, message: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof ServerError &&
    error.code === 'BAD_REQUEST' &&
    error.param === param &&
    message.test(error.message);
}

test('each document is an item, be it a text or an object with one', () => {
  const { model, items, options } = decode({ model: 'm', documents: ['a', { text: 'b', id: 7 }], top_n: 1 });
  assert.equal(model, 'm');
  assert.deepEqual(items, [
    { kind: 'json', value: { query: 'q', text: 'a' }, parameters: { raw_scores: false } },
    { kind: 'json', value: { query: 'q', text: 'b' }, parameters: { raw_scores: false } },
  ]);
  assert.deepEqual(options, { topN: 1 });
});

test('rank_fields are the fields of a document that are ranked, in their order', () => {
  const documents = [{ title: 't', text: 'x', author: 'a' }, { text: 'only' }, 'plain'];
  const { items } = decode({ documents, rank_fields: ['author', 'text'] });
  assert.deepEqual(
    items.map((item) => item.kind === 'json' && (item.value as { text: string }).text),
    ['a\nx', 'only', 'plain'],
  );
  assert.throws(
    () => decode({ documents, rank_fields: ['title'] }),
    refused('documents[1]', /a string or an object with text in 'title'/),
  );
});

test('truncation reaches the task under its names', () => {
  assert.deepEqual(decode({ max_tokens_per_doc: 9 }).items[0]?.parameters, {
    truncate: true,
    max_tokens: 9,
    raw_scores: false,
  });
  assert.deepEqual(decode({ truncation: false, truncation_side: 'left' }).items[0]?.parameters, {
    truncate: false,
    truncation_direction: 'left',
    raw_scores: false,
  });
});

test('fields that change nothing here are named as ignored, null is absent', () => {
  const foreign = { max_chunks_per_doc: 2, relevant_spans: { mode: 'enabled' }, priority: 0 };
  const { ignored, options } = decode({ ...foreign, instruction: 'Rank.', return_documents: null, top_n: null });
  assert.deepEqual(ignored, [...Object.keys(foreign), 'instruction']);
  assert.deepEqual(options, { topN: 0 });
});

test('what is no request is refused by the field at fault', () => {
  const cases: [object, string, RegExp][] = [
    [{ query: undefined }, 'query', /Missing required parameter: 'query'/],
    [{ query: ['q'] }, 'query', /expected a string/],
    [{ documents: undefined }, 'documents', /Missing/],
    [{ documents: 'a' }, 'documents', /expected an array/],
    [{ documents: [] }, 'documents', /cannot be empty/],
    [{ documents: ['a', 1] }, 'documents[1]', /expected a string or an object/],
    [{ documents: [null] }, 'documents[0]', /expected a string or an object/],
    [{ documents: [{ text: 1 }] }, 'documents[0]', /in 'text'/],
    [{ documents: [{ image: 'x' }] }, 'documents[0]', /in 'text'/],
    [{ top_n: -1 }, 'top_n', /top_n/],
    [{ top_n: 1.5 }, 'top_n', /a whole number/],
    [{ return_documents: 'yes' }, 'return_documents', /true or false/],
    [{ return_document: true }, 'return_document', /Did you mean 'return_documents'/],
  ];
  for (const [fields, param, message] of cases)
    assert.throws(() => decode(fields), refused(param, message), JSON.stringify(fields));
  assert.throws(() => decode({ documents: ['a', 'b', 'c', 'd', 'e'] }), { code: 'TOO_LARGE' });
});

const score = (value: number): ItemResult => ({ ok: true, reply: { json: { score: value, tokens: 3 } } });
const head = { id: 'r1', model: 'm' };

function encode(...given: Parameters<typeof encodeRerank>): unknown {
  return JSON.parse(Buffer.concat(encodeRerank(...given).chunks).toString());
}

test('the answer is best first, with the tokens of all documents', () => {
  assert.deepEqual(encode([score(0.25), score(0.5), score(0.25)], { topN: 0 }, head), {
    id: 'rerank-r1',
    model: 'm',
    results: [
      { index: 1, relevance_score: 0.5 },
      { index: 0, relevance_score: 0.25 },
      { index: 2, relevance_score: 0.25 },
    ],
    usage: { prompt_tokens: 9, total_tokens: 9 },
    meta: { tokens: { input_tokens: 9, output_tokens: 0 } },
  });
});

test('top_n leaves out the worst, and documents come back as objects', () => {
  const documents = ['a', { text: 'b', id: 7 }];
  const { results } = encode([score(0.1), score(0.2)], { topN: 1, documents }, head) as { results: unknown };
  assert.deepEqual(results, [{ index: 1, relevance_score: 0.2, document: { text: 'b', id: 7 } }]);
  const all = encode([score(0.1), score(0.2)], { topN: 9, documents }, head) as { results: { document: unknown }[] };
  assert.deepEqual(
    all.results.map(({ document }) => document),
    [{ text: 'b', id: 7 }, { text: 'a' }],
  );
});

test('a bad document stands for the request, and is told by its index', () => {
  const bad: ItemResult = { ok: false, error: new ServerError('INVALID_INPUT', 'This text is bad.') };
  assert.throws(() => encode([score(1), bad], { topN: 0 }, head), {
    param: 'documents[1]',
    message: 'documents[1]: This text is bad.',
  });
});
