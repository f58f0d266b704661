import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestServer, type TestServer } from '../../http/in-process.ts';
import { send } from './client.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer({ MODELS: 'square,voice-activity' });
});
after(() => server[Symbol.asyncDispose]());

const x = { name: 'x', shape: [1], datatype: 'FP64', data: [1] };
const refusals: [string, string, unknown, number][] = [
  ['unknown model', '/v2/models/nope/infer', { inputs: [x] }, 404],
  ['unknown version', '/v2/models/square/versions/9/infer', { inputs: [x] }, 404],
  ['no inputs', '/v2/models/square/infer', {}, 400],
  ['not an object', '/v2/models/square/infer', [], 400],
  ['unknown input', '/v2/models/square/infer', { inputs: [x, { ...x, name: 'z' }] }, 422],
  [
    'missing input',
    '/v2/models/voice-activity/infer',
    { inputs: [{ name: 'sr', shape: [], datatype: 'INT64', data: [16000] }] },
    422,
  ],
  ['wrong datatype', '/v2/models/square/infer', { inputs: [{ ...x, datatype: 'FP32' }] }, 422],
  ['unknown datatype', '/v2/models/square/infer', { inputs: [{ ...x, datatype: 'FP12' }] }, 400],
  ['wrong shape', '/v2/models/square/infer', { inputs: [{ ...x, shape: [1, 1] }] }, 422],
  ['too few elements', '/v2/models/square/infer', { inputs: [{ ...x, shape: [2] }] }, 400],
  ['a dimension of 0', '/v2/models/square/infer', { inputs: [{ ...x, shape: [0], data: [] }] }, 422],
  ['a negative dimension', '/v2/models/square/infer', { inputs: [{ ...x, shape: [-1] }] }, 400],
  ['an unsafe dimension', '/v2/models/square/infer', { inputs: [{ ...x, shape: [9007199254740993] }] }, 400],
  ['unknown output', '/v2/models/square/infer', { inputs: [x], outputs: [{ name: 'z' }] }, 422],
  [
    'shared memory',
    '/v2/models/square/infer',
    { inputs: [{ name: 'x', shape: [1], datatype: 'FP64', parameters: { shared_memory_region: 'r' } }] },
    400,
  ],
  ['a reserved parameter', '/v2/models/square/infer', { inputs: [x], parameters: { triton_enable: 1 } }, 400],
];
for (const [what, path, body, status] of refusals)
  test(`refuses ${what} with ${status}`, async () => {
    const answer = await send(server, path, { body: JSON.stringify(body) });
    const error = answer.json as { error: unknown; code: unknown };
    assert.equal(answer.status, status, JSON.stringify(error));
    assert.equal(typeof error.error, 'string');
    assert.equal(typeof error.code, 'string');
  });
