import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { freePort } from '../free-port.ts';
import { testNamed, type Broken } from './set-up.ts';

/** Set-ups in which something is not there, or another thing is in its place. */

const MISSING: readonly Broken[] = [
  {
    what: 'a model.onnx that is a folder',
    env: async (folder) => {
      await mkdir(path.join(folder, 'models/nested/model.onnx'), { recursive: true });
      return {};
    },
    check: 'models',
    detail: /nested: model\.onnx is a folder/,
    cure: /^ls .*nested\/model\.onnx /,
  },
  {
    what: 'a model of PyTorch',
    env: async (folder) => {
      await mkdir(path.join(folder, 'models/torch'));
      await writeFile(path.join(folder, 'models/torch/config.json'), '{}');
      await writeFile(path.join(folder, 'models/torch/model.safetensors'), '');
      return {};
    },
    check: 'models',
    detail: /there is no ONNX file, only model\.safetensors/,
    cure: /^optimum-cli export onnx --model .*torch /,
  },
  {
    what: 'a folder without a graph',
    env: async (folder) => {
      await mkdir(path.join(folder, 'models/bare'));
      await writeFile(path.join(folder, 'models/bare/model.json'), '{}');
      return {};
    },
    check: 'models',
    detail: /bare: .*there is no ONNX file$/,
    cure: /^ls .*bare {3}# copy model\.onnx there/,
  },
  {
    what: 'a file of keys that is not there',
    env: (folder) => Promise.resolve({ API_KEYS_FILE: path.join(folder, 'nowhere.json') }),
    check: 'api keys',
    detail: /there is no file .*nowhere\.json$/,
    cure: /^carpool hash-key app .*unset API_KEYS_FILE$/,
  },
  {
    what: 'a certificate that is not there',
    env: (folder) =>
      Promise.resolve({ TLS_CERT_FILE: path.join(folder, 'c.pem'), TLS_KEY_FILE: path.join(folder, 'k.pem') }),
    check: 'certificate',
    detail: /TLS_CERT_FILE: there is no file .*c\.pem$/,
    cure: /^openssl req -x509 .*k\.pem -out .*c\.pem /,
  },
  {
    what: 'another program in the place of Redis',
    env: async (_folder, t) => {
      const server = createServer((socket) => socket.on('error', () => undefined).end()).listen(0, '127.0.0.1');
      t.after(() => server.close());
      await once(server, 'listening');
      return { JOB_SOURCE: 'redis', REDIS_URL: `redis://127.0.0.1:${(server.address() as AddressInfo).port}` };
    },
    check: 'queue',
    detail: /another program, or none that works, takes connections at 127\.0\.0\.1:\d+ \(REDIS_URL\)$/,
    cure: /^redis-server /,
  },
  {
    what: 'a storage that does not answer',
    env: async () => ({ AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${await freePort()}` }),
    machine: () => Promise.resolve({ isSet: (name) => name.startsWith('AWS_') }),
    check: 'storage',
    detail: /nothing answers at 127\.0\.0\.1:\d+ \(AWS_ENDPOINT_URL_S3\)$/,
    cure: /^curl .*unset AWS_ENDPOINT_URL_S3/,
  },
];

for (const broken of MISSING) testNamed(broken);
