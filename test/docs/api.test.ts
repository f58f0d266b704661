import assert from 'node:assert/strict';
import test from 'node:test';
import { ERRORS } from '../../src/errors.ts';
import { PROBES } from '../../src/http/probes.ts';
import { code, readDocument, tableRows } from './documents.ts';

const document = readDocument('docs/api.md');

test('docs/api.md lists exactly the error codes, each with its status and whether a retry may help', () => {
  const rows = tableRows(document, '| code | status | retryable | meaning |');
  assert.deepEqual(
    rows.map(([name, status, retryable]) => [code(name), Number(status), retryable]),
    Object.entries(ERRORS).map(([name, { status, retryable }]) => [name, status, retryable ? 'yes' : 'no']),
  );
  for (const [name, , , meaning] of rows) assert.ok((meaning ?? '').length > 10, name);
});

test('docs/api.md lists exactly the probes', () => {
  const rows = tableRows(document, '| path | 200 when | 503 when | body |');
  const paths = rows.flatMap(([cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]));
  assert.deepEqual(paths.toSorted(), Object.keys(PROBES).toSorted());
});
