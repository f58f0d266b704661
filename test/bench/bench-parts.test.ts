import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { HttpSocket, requestBytes } from '../../bench/http-socket.ts';
import { readOptions } from '../../bench/options.ts';
import { makePayload } from '../../bench/payload.ts';
import { readPorts } from '../../bench/server-process.ts';
import { median } from '../../src/benchmark/statistics.ts';
import { growth } from '../../bench/statistics.ts';
import { formatTable, short } from '../../src/benchmark/table.ts';

describe('makePayload', () => {
  const mlp = { name: 'mlp', inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3] }] } as const;
  it('makes a row in the native dialect, a number for square, text for language-id', () => {
    const native = makePayload(mlp, 'native');
    assert.equal(native.path, '/predict/mlp');
    assert.equal((JSON.parse(native.body.toString()) as { data: number[] }).data.length, 3);
    const square = makePayload({ name: 'square', inputs: [{ name: 'x', datatype: 'FP64', shape: [-1] }] }, 'native');
    assert.equal(typeof (JSON.parse(square.body.toString()) as { data: number }).data, 'number');
    const inputs = [{ name: 'ngrams', datatype: 'FP32', shape: [-1, 620] }] as const;
    const language = makePayload({ name: 'language-id', inputs }, 'native');
    assert.equal(typeof (JSON.parse(language.body.toString()) as { data: string }).data, 'string');
  });
  it('makes an item of several tensors without their batch axis, whichever it is, and sends an image as it is', () => {
    const inputs = [
      { name: 'state', datatype: 'FP32', shape: [2, -1, 3] },
      { name: 'rate', datatype: 'INT64', shape: [], fill: 16_000 },
    ] as const;
    const { data } = JSON.parse(makePayload({ name: 'voice-activity', inputs }, 'native').body.toString()) as {
      data: { state: number[][]; rate: number };
    };
    assert.deepEqual(
      data.state.map((row) => row.length),
      [3, 3],
    );
    assert.equal(data.rate, 16_000);
    const image = Buffer.from('png');
    const { headers, body } = makePayload({ name: 'super-resolution', inputs, image }, 'native');
    assert.deepEqual([headers['content-type'], body], ['image/png', image]);
  });
  it('makes the same numbers in JSON and in binary', () => {
    const json = JSON.parse(makePayload(mlp, 'oip-json').body.toString()) as {
      inputs: { data: number[]; shape: number[] }[];
    };
    assert.deepEqual(json.inputs[0]?.shape, [1, 3]);
    const { headers, body } = makePayload(mlp, 'oip-binary');
    const headBytes = Number(headers['inference-header-content-length']);
    const head = JSON.parse(body.toString('utf8', 0, headBytes)) as {
      inputs: { parameters: { binary_data_size: number } }[];
    };
    assert.equal(head.inputs[0]?.parameters.binary_data_size, 12);
    assert.equal(body.byteLength, headBytes + 12);
    const numbers = [0, 4, 8].map((offset) => body.readFloatLE(headBytes + offset));
    assert.deepEqual(numbers, json.inputs[0].data.map(Math.fround));
  });
});

describe('HttpSocket', () => {
  const payload = {
    path: '/predict',
    headers: { 'content-type': 'application/json' },
    body: Buffer.from('{"data":3}'),
  };
  const reply = (status: string, body: string, extra = '') =>
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\n${extra}Content-Length: ${body.length}\r\n\r\n${body}`;

  async function withServer(
    answers: ((socket: Socket) => void)[],
    use: (port: number) => Promise<void>,
  ): Promise<void> {
    const sockets = new Set<Socket>();
    let count = 0;
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('data', () => answers[count++]?.(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    try {
      await use(typeof address === 'object' && address !== null ? address.port : 0);
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  it('reads replies whole and in pieces, survives a break, and opens itself anew', async () => {
    const pieces = (socket: Socket): void => {
      const text = reply('200 OK', '{"result":9}');
      socket.write(text.slice(0, 20));
      setTimeout(() => socket.write(text.slice(20, -4)), 5);
      setTimeout(() => socket.write(text.slice(-4)), 10);
    };
    const answers = [
      (socket: Socket) => socket.write(reply('429 Too Many Requests', '{}')),
      pieces,
      (socket: Socket) => socket.destroy(),
      (socket: Socket) => socket.end(reply('503 Service Unavailable', '', 'Connection: close\r\n')),
      (socket: Socket) => socket.write(reply('200 OK', '{"result":9}')),
    ];
    await withServer(answers, async (port) => {
      const socket = new HttpSocket(port);
      const bytes = requestBytes(port, payload);
      const seen: [number, string][] = [];
      for (let count = 0; count < 5; count++) {
        const { status, body } = await socket.send(bytes);
        seen.push([status, body.toString()]);
      }
      socket.close();
      assert.deepEqual(seen, [
        [429, '{}'],
        [200, '{"result":9}'],
        [0, ''],
        [503, ''],
        [200, '{"result":9}'],
      ]);
    });
  });

  it('reads chunked replies to their last chunk', async () => {
    const chunked = (socket: Socket): void => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n');
      setTimeout(() => socket.write('1\r\nc\r\n0\r\n\r\n'), 5);
    };
    await withServer([chunked, (socket) => socket.write(reply('200 OK', '{}'))], async (port) => {
      const socket = new HttpSocket(port);
      assert.ok(!socket.isOpen);
      const { status, body } = await socket.send(requestBytes(port, payload));
      assert.deepEqual([status, body.toString()], [200, '2\r\nab\r\n1\r\nc\r\n0\r\n\r\n']);
      assert.ok(socket.isOpen);
      assert.equal((await socket.send(requestBytes(port, payload))).body.toString(), '{}');
      socket.close();
    });
  });

  it('sends a request that says what it holds', () => {
    const text = requestBytes(8000, payload).toString();
    assert.equal(
      text,
      'POST /predict HTTP/1.1\r\nhost: 127.0.0.1:8000\r\ncontent-length: 10\r\ncontent-type: application/json\r\n\r\n{"data":3}',
    );
  });
});

describe('readOptions', () => {
  it('reads flags over defaults', () => {
    const args = ['--model', 'square', '--widths', '3,4', '--model-options', '{"queue":{"maxItems":8}}'];
    const options = readOptions(args, { seconds: 20 });
    assert.equal(options.model, 'square');
    assert.equal(options.seconds, 20);
    assert.deepEqual(options.widths, [3, 4]);
    assert.deepEqual(options.modelOptions, { queue: { maxItems: 8 } });
    assert.equal(options.dialect, 'native');
  });
  it('names the flag that is wrong', () => {
    assert.throws(() => readOptions(['--model', 'x']), /--model: one of mlp/);
    assert.throws(() => readOptions(['--seconds', '0']), /--seconds/);
    assert.throws(() => readOptions(['--model-options', '[]']), /--model-options/);
    assert.throws(() => readOptions(['--nothing']), /nothing/);
  });
});

describe('readPorts', () => {
  it('finds the line that says where the server listens, and no half-written one', () => {
    const line = '{"severity":"INFO","port":4321,"msg":"listening"}\n';
    assert.deepEqual(readPorts(`{"msg":"lanes chosen"}\n${line}`), { port: 4321, probePort: undefined });
    assert.deepEqual(readPorts('{"port":4321,"probePort":4322,"msg":"listening"}\n'), { port: 4321, probePort: 4322 });
    assert.equal(readPorts(`{"msg":"lanes chosen"}\n${line.slice(0, -3)}`), undefined);
    assert.equal(readPorts(''), undefined);
  });
});

describe('statistics of a bench', () => {
  it('take medians and growth after the first quarter', () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(growth([10, 20, 100, 100, 110, 110, 150, 150]), 0.5);
    assert.equal(growth([100, 200, 300]), Number.NaN);
  });
  it('are printed in three digits', () => {
    assert.deepEqual([1234.5, 12.345, 0.012345, 0, Number.NaN].map(short), ['1235', '12.3', '0.0123', '0', '-']);
    assert.equal(formatTable(['a', 'bb'], [['xyz', '1']]), '| a   | bb |\n|-----|----|\n| xyz |  1 |');
  });
});
