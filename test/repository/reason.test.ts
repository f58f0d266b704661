import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicReason } from '../../src/repository/reason.ts';

const root = '/srv/models/m';
const cases: [string, string][] = [
  ['Load model from /srv/models/m/1/model.onnx failed: bad', 'Load model from 1/model.onnx failed: bad'],
  ["EACCES: permission denied, open '/srv/models/m'", "EACCES: permission denied, open 'm'"],
  ["Cannot find module '/app/node_modules/x/index.js'", "Cannot find module 'index.js'"],
  ['at file:///app/dist/src/a.js:3', 'at a.js:3'],
  ['in C:\\Users\\me\\model.onnx', 'in model.onnx'],
  [
    'and/or 3/4 https://example.com/a/b ./task.js files.model',
    'and/or 3/4 https://example.com/a/b ./task.js files.model',
  ],
  ['two\n lines', 'two lines'],
];
for (const [message, expected] of cases) {
  test(`a reason shows no absolute path: ${expected}`, () => {
    assert.equal(publicReason(new Error(message), root), expected);
  });
}

test('what is thrown need not be an Error', () => {
  assert.equal(publicReason('text', undefined), 'text');
});
