import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import express from 'express';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { answerMessages } from '../child.ts';

/** A process with Express and onnxruntime-node as people write it: one `session.run` in the handler, everything by default. */

export interface PlainExpressRequest {
  readonly file: string;
}

/** A tensor of the Open Inference Protocol, in JSON. */
interface JsonTensor {
  readonly name: string;
  readonly datatype: 'FP32' | 'FP64' | 'INT64';
  readonly shape: number[];
  readonly data: number[];
}

answerMessages(async ({ file }: PlainExpressRequest): Promise<{ readonly port: number }> => {
  const session = await InferenceSession.create(file);
  const app = express();
  app.use(express.json({ limit: '10mb' }));
  app.post('/v2/models/:model/infer', async (request, response) => {
    const { inputs } = request.body as { inputs: JsonTensor[] };
    const outputs = await session.run(Object.fromEntries(inputs.map((input) => [input.name, toTensor(input)])));
    response.json({
      outputs: Object.entries(outputs).map(([name, { dims, data }]) => ({
        name,
        datatype: 'FP32',
        shape: dims,
        data: Array.from(data as Float32Array),
      })),
    });
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port };
});
// It lives as long as its parent.
process.once('disconnect', () => process.exit());

function toTensor({ datatype, shape, data }: JsonTensor): Tensor {
  if (datatype === 'FP32') return new Tensor('float32', Float32Array.from(data), shape);
  if (datatype === 'FP64') return new Tensor('float64', Float64Array.from(data), shape);
  return new Tensor('int64', BigInt64Array.from(data, BigInt), shape);
}
