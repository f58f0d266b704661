import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import { post, startTestServer, type TestServer } from '../../http/in-process.ts';
import { infer, outputsOf, send, square, type Output } from './client.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer({ MODELS: 'square,language-id,voice-activity' });
});
after(() => server[Symbol.asyncDispose]());

test('JSON in, JSON out; the id comes back; all outputs unless some are named', async () => {
  const { status, json, headers } = await infer(server, 'square', square([3, 0.5], { id: 'a1' }));
  assert.equal(status, 200);
  assert.match(headers.get('content-type') ?? '', /application\/json/);
  assert.deepEqual(json, {
    model_name: 'square',
    model_version: '1',
    id: 'a1',
    outputs: [{ name: 'y', datatype: 'FP64', shape: [2], data: [9, 0.25] }],
  });
});

test('binary both ways, with the header length, at any alignment', async () => {
  const header = JSON.stringify({
    id: 'odd',
    inputs: [{ name: 'x', shape: [2], datatype: 'FP64', parameters: { binary_data_size: 16 } }],
    parameters: { binary_data_output: true },
  });
  const blob = Buffer.from(new Float64Array([4, -1.5]).buffer);
  const answer = await send(server, '/v2/models/square/infer', {
    body: new Uint8Array(Buffer.concat([Buffer.from(header), blob])),
    headers: {
      'Inference-Header-Content-Length': String(header.length),
    },
  });
  assert.match(answer.headers.get('content-type') ?? '', /application\/octet-stream/);
  const length = Number(answer.headers.get('inference-header-content-length'));
  const head = JSON.parse(Buffer.from(answer.bytes.subarray(0, length)).toString()) as { outputs: unknown[] };
  assert.deepEqual(head.outputs, [{ name: 'y', datatype: 'FP64', shape: [2], parameters: { binary_data_size: 16 } }]);
  assert.deepEqual([...new Float64Array(answer.bytes.slice(length).buffer)], [16, 2.25]);
});

test('a raw body (header length 0) is the one input', async () => {
  const answer = await send(server, '/v2/models/square/infer', {
    body: new Uint8Array(new Float64Array([5]).buffer),
    headers: {
      'Inference-Header-Content-Length': '0',
    },
  });
  assert.equal(answer.status, 200);
  const length = Number(answer.headers.get('inference-header-content-length'));
  assert.deepEqual([...new Float64Array(answer.bytes.slice(length).buffer)], [25]);
});

test('classification gives value:index:label, best first', async () => {
  const body = {
    inputs: [{ name: 'ngrams', shape: [1, 620], datatype: 'FP32', data: Array<number>(620).fill(0.001) }],
    outputs: [{ name: 'probs', parameters: { classification: 3 } }],
  };
  const [output] = outputsOf(await infer(server, 'language-id', body));
  assert.deepEqual([output?.datatype, output?.shape], ['BYTES', [1, 3]]);
  const values = (output?.data as string[]).map((text) => Number(/^(\d+\.\d{6}):\d+:[a-z]{3}$/.exec(text)?.[1]));
  assert.deepEqual(
    values,
    values.toSorted((a, b) => b - a),
  );
});

test('a stateful model: state on axis 1, a scalar for the whole run, rows of two requests equal each alone', async () => {
  const ask1 = (rows: number[][]) =>
    infer(server, 'voice-activity', {
      inputs: [
        { name: 'input', shape: [rows.length, 576], datatype: 'FP32', data: rows },
        {
          name: 'state',
          shape: [2, rows.length, 128],
          datatype: 'FP32',
          data: Array<number>(2 * rows.length * 128).fill(0),
        },
        { name: 'sr', shape: [], datatype: 'INT64', data: [16000] },
      ],
    });
  const wave = (hertz: number) =>
    Array.from({ length: 576 }, (_, at) => 0.3 * Math.sin((2 * Math.PI * hertz * at) / 16000));
  const [one, two, both] = await Promise.all([ask1([wave(220)]), ask1([wave(440)]), ask1([wave(220), wave(440)])]);
  const [a, b] = [outputsOf(one), outputsOf(two)];
  const [probability, state] = outputsOf(both);
  assert.deepEqual(
    [probability?.shape, state?.shape],
    [
      [2, 1],
      [2, 2, 128],
    ],
  );
  for (const [index, alone] of [a, b].entries())
    assert.ok(Math.abs(Number(probability?.data[index]) - Number(alone[0]?.data[0])) < 1e-5);
});

test('more rows than a batch holds come back whole and in order', async () => {
  const data = Array.from({ length: 150 }, (_, at) => at);
  const [output] = outputsOf(await infer(server, 'square', square(data)));
  assert.deepEqual(
    output?.data,
    data.map((value) => value * value),
  );
});

test('large JSON answers of one batch are each their own, though they were cut from one buffer', async () => {
  await using held = await startTestServer({
    MODELS: 'super-resolution',
    MODEL_OPTIONS: '{"super-resolution":{"simulate":{"runMs":300}}}',
  });
  const side = 40;
  const upscale = async (seed: number): Promise<readonly unknown[] | undefined> => {
    const data = Array.from({ length: side * side * 3 }, (_, at) => (at * seed) % 256);
    const body = { inputs: [{ name: 'image', shape: [1, side, side, 3], datatype: 'FP32', data }] };
    return outputsOf(await post(`${held.url}/v2/models/super-resolution/infer`, JSON.stringify(body)))[0]?.data;
  };
  const alone = [await upscale(3), await upscale(5), await upscale(7)];
  const [, ...together] = await Promise.all([upscale(1), upscale(3), upscale(5), upscale(7)]);
  for (const [index, values] of together.entries()) {
    assert.equal(values?.length, 4 * side * side * 3);
    for (const [at, value] of values.entries()) assert.ok(Math.abs(Number(value) - Number(alone[index]?.[at])) < 1e-3);
  }
});

test('compressed both ways; gzip and deflate before what asyncio clients cannot read', async () => {
  const data = Array.from({ length: 60 }, (_, at) => at + 0.123456789);
  const body = new Uint8Array(gzipSync(JSON.stringify(square(data))));
  for (const [accept, coding, plain] of [
    ['gzip, deflate, br', 'gzip', gunzipSync],
    ['deflate', 'deflate', inflateSync],
  ] as const) {
    // fetch would inflate by itself: ask for the bytes as they come.
    const { hostname, port } = new URL(server.url);
    const { default: http } = await import('node:http');
    const response = await new Promise<{ headers: NodeJS.Dict<string | string[]>; bytes: Buffer }>(
      (resolve, reject) => {
        const request = http.request(
          {
            hostname,
            port,
            path: '/v2/models/square/infer',
            method: 'POST',
            headers: { 'Content-Encoding': 'gzip', 'Accept-Encoding': accept },
          },
          (incoming) => {
            const chunks: Buffer[] = [];
            incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
            incoming.on('end', () => resolve({ headers: incoming.headers, bytes: Buffer.concat(chunks) }));
          },
        );
        request.on('error', reject);
        request.end(body);
      },
    );
    assert.equal(response.headers['content-encoding'], coding);
    const { outputs } = JSON.parse(plain(response.bytes).toString()) as { outputs: Output[] };
    assert.equal(outputs[0]?.data.length, 60);
  }
});

test('NaN is no error: the model runs on it, and JSON answers null', async () => {
  const header = JSON.stringify({
    inputs: [{ name: 'x', shape: [1], datatype: 'FP64', parameters: { binary_data_size: 8 } }],
  });
  const answer = await send(server, '/v2/models/square/infer', {
    body: new Uint8Array(Buffer.concat([Buffer.from(header), Buffer.from(new Float64Array([NaN]).buffer)])),
    headers: { 'Inference-Header-Content-Length': String(header.length) },
  });
  assert.deepEqual([answer.status, outputsOf(answer)[0]?.data], [200, [null]]);
});

test('a time limit in microseconds is honoured', async () => {
  await using slow = await startTestServer({
    MODELS: 'square',
    MODEL_OPTIONS: '{"square":{"simulate":{"runMs":400}}}',
  });
  const answer = await post(
    `${slow.url}/v2/models/square/infer`,
    JSON.stringify(square([1], { parameters: { timeout: 50_000 } })),
  );
  assert.equal(answer.status, 504);
});
