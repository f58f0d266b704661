import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import express from 'express';
import { createCarpool, type Carpool } from '../src/index.ts';
import { SHIPPED_MODELS } from './process/carpool.ts';

const OPTIONS = { MODELS_DIR: SHIPPED_MODELS, MODELS: ['square'], DEVICE: 'cpu', LOG_LEVEL: 'silent' };
const JSON_BODY = { method: 'POST', headers: { 'content-type': 'application/json' } };

let carpool: Carpool;
let server: Server;
let url: string;

before(async () => {
  carpool = await createCarpool(OPTIONS);
  const app = express();
  app.use('/ai', carpool.handler);
  app.use(express.json());
  app.use('/late', carpool.handler);
  app.post('/double', async (request, response) => {
    const { status, body } = await carpool.request('/predict/square', {
      data: (request.body as { data: unknown }).data,
    });
    response.status(status).json(body);
  });
  server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

after(async () => {
  server.close();
  server.closeAllConnections();
  assert.equal(await carpool.close(), true);
});

test('the handler serves every route below its path', async () => {
  const answer = await fetch(`${url}/ai/predict/square`, { ...JSON_BODY, body: '{"data":7}' });
  assert.deepEqual(await answer.json(), { result: 49 });
  const models = (await (await fetch(`${url}/ai/v1/models`)).json()) as { data: { id: string }[] };
  assert.deepEqual(
    models.data.map(({ id }) => id),
    ['square'],
  );
  assert.deepEqual(await (await fetch(`${url}/ai/ready`)).json(), { ready: true });
  assert.equal((await fetch(`${url}/ai/nothing`)).status, 404);
});

test('requests without HTTP have the answers and the errors of HTTP', async () => {
  assert.deepEqual(await carpool.request('/predict', { items: [1, 'x'] }), {
    status: 200,
    body: { results: [{ result: 1 }, { error: 'Input x: element 0 must be a number.', code: 'INVALID_INPUT' }] },
  });
  const unknown = await carpool.request('/v1/chat/completions', {
    model: 'nothing',
    messages: [{ role: 'user', content: 'Hello' }],
  });
  assert.equal(unknown.status, 404);
  await assert.rejects(carpool.request('/nothing', {}), /there is no operation at \/nothing/);
  const late = AbortSignal.abort(new Error('no more'));
  await assert.rejects(carpool.request('/predict', { data: 1 }, { signal: late }), /no more/);
  const answer = await fetch(`${url}/double`, { ...JSON_BODY, body: '{"data":3}' });
  assert.deepEqual(await answer.json(), { result: 9 });
});

test('a body that other middleware has read is an error that says so', async () => {
  const answer = await fetch(`${url}/late/predict`, { ...JSON_BODY, body: '{"data":7}' });
  assert.equal(answer.status, 500);
  assert.match(await answer.text(), /mount the handler ahead/);
});

test('wrong options and models that fail reject, and leave nothing behind', async () => {
  await assert.rejects(
    createCarpool({ ...OPTIONS, LANE: 1 } as never),
    /LANE: there is no such option. Did you mean LANES/,
  );
  await assert.rejects(createCarpool({ ...OPTIONS, MODELS: ['nothing'] }), /there is no folder of this name/);
});

test('the handler asks for the keys of the options', async (t) => {
  const keyed = await createCarpool({ ...OPTIONS, API_KEY: 'secret' });
  t.after(() => keyed.close());
  const app = express();
  app.use(keyed.handler);
  const listener = app.listen(0, '127.0.0.1');
  t.after(() => listener.close());
  await once(listener, 'listening');
  const target = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/predict/square`;
  assert.equal((await fetch(target, { ...JSON_BODY, body: '{"data":7}' })).status, 401);
  const headers = { ...JSON_BODY.headers, 'x-api-key': 'secret', connection: 'close' };
  assert.equal((await fetch(target, { ...JSON_BODY, headers, body: '{"data":7}' })).status, 200);
});
