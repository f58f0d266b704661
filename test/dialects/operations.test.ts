import assert from 'node:assert/strict';
import { test } from 'node:test';
import { operationNamed, operationOf, OPERATIONS, sharingPathsOf } from '../../src/dialects/operations.ts';
import type { ItemsOperation } from '../../src/dialects/shared/operation.ts';

test('no two operations have a name or a path in common', () => {
  for (const all of [OPERATIONS.map(({ name }) => name), OPERATIONS.flatMap(({ paths }) => paths)])
    assert.equal(new Set(all).size, all.length);
});

/** The operation that a body is for. */
function asked(name: string, body: unknown, contentType?: string): string {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return operationOf(operationNamed(name) as ItemsOperation, bytes, { contentType, itemLimit: 4 }).name;
}

test('every operation that shares paths is among those of the one it names', () => {
  const sharing = OPERATIONS.filter((operation) => operation.kind === 'items' && operation.sharesPaths !== undefined);
  assert.ok(sharing.length > 0);
  for (const operation of sharing as ItemsOperation[]) {
    const of = operationNamed(operation.sharesPaths?.of ?? '');
    assert.ok(of.kind === 'items' && sharingPathsOf(of).includes(operation));
  }
});

test("/predict with inputs is TEI's, unless there is a native field or the body is not JSON", () => {
  assert.equal(asked('native.predict', { inputs: 'a' }), 'tei.predict');
  assert.equal(asked('native.predict', { inputs: ['a'] }, 'application/json'), 'tei.predict');
  for (const body of [{ inputs: 'a', data: 1 }, { inputs: 'a', items: [1] }, { data: { inputs: 'a' } }, '{"inputs":'])
    assert.equal(asked('native.predict', body), 'native.predict');
  assert.equal(asked('native.predict', { inputs: 'a' }, 'text/plain'), 'native.predict');
});

test("/predict with inputs is Hugging Face's if there are parameters, or the model is of a task that TEI lacks", () => {
  const parameters = { candidate_labels: ['a', 'b'] };
  assert.equal(asked('native.predict', { inputs: 'a', parameters }, 'application/json'), 'hf.predict');
  assert.equal(asked('native.predict', { data: 'a', parameters }), 'native.predict');
  const of = (task: string): string => {
    const context = { task, contentType: 'application/json', itemLimit: 4 };
    return operationOf(operationNamed('native.predict') as ItemsOperation, Buffer.from('{"inputs":"a"}'), context).name;
  };
  assert.equal(of('token-classification'), 'hf.predict');
  assert.equal(of('text-classification'), 'tei.predict');
});

test("/rerank with documents is Jina's and Cohere's, unless it has texts", () => {
  assert.equal(asked('tei.rerank', { query: 'q', documents: ['a'] }), 'openai.rerank');
  for (const body of [
    { documents: ['a'], texts: ['a'] },
    { query: 'documents' },
    { query: { documents: [] } },
    '"documents"',
  ])
    assert.equal(asked('tei.rerank', body), 'tei.rerank');
});
