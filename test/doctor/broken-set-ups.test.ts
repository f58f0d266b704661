import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { selfSigned } from '../http/self-signed.ts';
import { freePort } from '../free-port.ts';
import { SHIPPED_MODELS } from '../process/carpool.ts';
import { findings, machineWithGpu, programs, testNamed, type Broken } from './set-up.ts';

const BROKEN: readonly Broken[] = [
  {
    what: 'a folder of models that is not there',
    env: (folder) => Promise.resolve({ MODELS_DIR: path.join(folder, 'nowhere') }),
    check: 'options',
    detail: /there is no folder/,
    cure: /^mkdir -p .*nowhere$/,
  },
  {
    what: 'options that contradict each other',
    env: () => Promise.resolve({ BODY_LIMIT_BYTES: '1073741824' }),
    check: 'options',
    detail: /BODY_BUDGET_BYTES: smaller than BODY_LIMIT_BYTES/,
    cure: /^unset BODY_LIMIT_BYTES$/,
  },
  {
    what: 'a value that an option does not take',
    env: () => Promise.resolve({ LANES: 'many' }),
    check: 'options',
    detail: /LANES \(environment\): expected a whole number/,
    cure: /^unset LANES$/,
  },
  {
    what: 'an old Node',
    machine: () => Promise.resolve({ nodeVersion: 'v18.20.4' }),
    check: 'node',
    detail: /v18\.20\.4, at least 20\.19/,
    cure: /nvm install/,
  },
  {
    what: 'an ONNX Runtime that does not load',
    machine: () => Promise.resolve({ run: programs({ [process.execPath]: '{"problem":"GLIBC_2.34 not found"}' }) }),
    check: 'onnx runtime',
    detail: /GLIBC_2\.34/,
    cure: /^npm ci$/,
  },
  {
    what: 'a GPU that is demanded and not there',
    env: () => Promise.resolve({ DEVICE: 'cuda' }),
    check: 'gpu',
    detail: /no NVIDIA device/,
    cure: /DEVICE=auto/,
  },
  {
    what: 'a GPU that the container was not given',
    machine: async (folder) => {
      await mkdir(path.join(folder, 'root/proc/driver/nvidia/gpus/0000:01:00.0'), { recursive: true });
      return { root: path.join(folder, 'root/') };
    },
    check: 'gpu',
    outcome: 'warning',
    detail: /its devices .* are not here/,
    cure: /docker run --gpus all/,
  },
  {
    what: 'a driver that is too old for CUDA 12',
    machine: (folder) => machineWithGpu(folder, { 'nvidia-smi -q': 'CUDA Version : 11.4\n', ldd: '' }),
    check: 'gpu',
    outcome: 'warning',
    detail: /takes CUDA 11\.4, at least 12\.0/,
    cure: /nvidia-driver/,
  },
  {
    what: 'a CUDA provider that is not installed',
    env: () => Promise.resolve({ DEVICE: 'cuda' }),
    machine: async (folder) => ({
      ...(await machineWithGpu(folder, { 'nvidia-smi -q': 'CUDA Version : 12.8\n' })),
      providerFile: path.join(folder, 'none.so'),
    }),
    check: 'gpu',
    detail: /provider is not installed/,
    cure: /^carpool install-cuda$/,
  },
  {
    what: 'cuDNN that is missing',
    env: () => Promise.resolve({ DEVICE: 'cuda' }),
    machine: (folder) =>
      machineWithGpu(folder, {
        'nvidia-smi -q': 'CUDA Version : 12.8\n',
        ldd: '\tlibcudnn.so.9 => not found\n\tlibcublas.so.12 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x0)\n',
      }),
    check: 'gpu',
    detail: /libcudnn\.so\.9, libcublas\.so\.12/,
    cure: /^apt-get install libcudnn9-cuda-12 libcublas-12-8 /,
  },
  {
    what: 'a GPU on which nothing runs',
    env: () => Promise.resolve({ DEVICE: 'cuda' }),
    machine: (folder) =>
      machineWithGpu(folder, {
        'nvidia-smi -q': 'CUDA Version : 12.8\n',
        ldd: '',
        [`${process.execPath} cuda:0`]: '{"problem":"CUDA failure 999"}',
      }),
    check: 'gpu',
    detail: /does not run on cuda:0: CUDA failure 999/,
    cure: /DEVICE=cpu/,
  },
  {
    what: 'more threads than cores',
    env: () => Promise.resolve({ LANES: '200', LANE_THREADS: '8' }),
    check: 'cores',
    outcome: 'warning',
    detail: /1600 threads/,
    cure: /^unset LANES LANE_THREADS$/,
  },
  {
    what: 'weights that do not fit into memory',
    machine: () => Promise.resolve({ memoryBytes: 50 }),
    check: 'models',
    outcome: 'warning',
    detail: /leave too little/,
    cure: /MODEL_LOADING=lazy/,
  },
  {
    what: 'few open files',
    machine: async (folder) => {
      await mkdir(path.join(folder, 'root/proc/self'), { recursive: true });
      await writeFile(
        path.join(folder, 'root/proc/self/limits'),
        'Max open files            1024                 4096                 files\n',
      );
      return { root: path.join(folder, 'root/') };
    },
    check: 'open files',
    outcome: 'warning',
    detail: /at most 1024/,
    cure: /ulimit -n 10256/,
  },
  {
    what: 'a port in use',
    env: async (_folder, t) => {
      const server = createServer().listen(0, '127.0.0.1');
      t.after(() => server.close());
      await once(server, 'listening');
      return { PORT: String((server.address() as AddressInfo).port) };
    },
    machine: () =>
      Promise.resolve({
        run: programs({ ss: 'LISTEN 0 511 127.0.0.1:8000 0.0.0.0:* users:(("python3",pid=4321,fd=23))\n' }),
      }),
    check: 'ports',
    detail: /PORT: another process listens on it.*; it is python3 \(process 4321\)$/,
    cure: /^ss -ltnp /,
  },
  {
    what: 'a model.json with a wrong field',
    env: async (folder) => {
      await writeFile(path.join(folder, 'models/square/model.json'), '{"batching":{"maxItems":"many"}}');
      return {};
    },
    check: 'models',
    detail: /square: model\.json: batching\.maxItems: expected number/,
    cure: /^edit .*square\/model\.json/,
  },
  {
    what: 'weights that git lfs has not fetched',
    env: async (folder) => {
      await writeFile(path.join(folder, 'models/square/model.onnx'), 'version https://git-lfs.github.com/spec/v1\n');
      return {};
    },
    check: 'models',
    detail: /Git LFS pointer/,
    cure: /^git -C .*square lfs pull$/,
  },
  {
    what: 'a folder whose name cannot be a model',
    env: async (folder) => {
      await cp(path.join(folder, 'models/square'), path.join(folder, 'models/my square'), { recursive: true });
      return {};
    },
    check: 'models',
    detail: /my square: a model name may hold only/,
    cure: /^mv '.*my square' .*my-square$/,
  },
  {
    what: 'a model that is asked for and not there',
    env: () => Promise.resolve({ MODELS: 'circle' }),
    check: 'models',
    detail: /circle: there is no folder of this name/,
    cure: /^carpool list$/,
  },
  {
    what: 'speech without ffmpeg',
    env: () => Promise.resolve({ MODELS_DIR: SHIPPED_MODELS, MODELS: 'transcription' }),
    check: 'programs',
    outcome: 'warning',
    detail: /ffmpeg is not there/,
    cure: /^apt-get install ffmpeg$/,
  },
  {
    what: 'a file in the place of a folder',
    env: async (folder) => {
      await writeFile(path.join(folder, 'jobs'), '');
      return { JOBS_DIR: path.join(folder, 'jobs') };
    },
    check: 'folders',
    detail: /JOBS_DIR: .* is a file/,
    cure: /^mv /,
  },
  {
    what: 'keys that others may read',
    env: async (folder) => {
      const file = path.join(folder, 'keys.json');
      await writeFile(file, '{"keys":[]}', { mode: 0o644 });
      return { API_KEYS_FILE: file };
    },
    check: 'api keys',
    outcome: 'warning',
    detail: /other users of this machine have rights/,
    cure: /^chmod 600 /,
  },
  {
    what: 'a file of keys that cannot be read',
    env: async (folder) => {
      await writeFile(path.join(folder, 'keys.json'), 'app: secret');
      return { API_KEYS_FILE: path.join(folder, 'keys.json') };
    },
    check: 'api keys',
    detail: /not valid JSON/,
    cure: /^edit /,
  },
  {
    what: 'a certificate with the key of another one',
    env: async (folder) => {
      const [cert, key] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
      await writeFile(cert, selfSigned('one').cert);
      await writeFile(key, selfSigned('other').key);
      return { TLS_CERT_FILE: cert, TLS_KEY_FILE: key };
    },
    check: 'certificate',
    detail: /not a certificate with its key/,
    cure: /^diff /,
  },
  {
    what: 'half of the credentials of a storage',
    machine: () => Promise.resolve({ isSet: (name) => name === 'AWS_ACCESS_KEY_ID' }),
    check: 'storage',
    detail: /AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not/,
    cure: /^export AWS_SECRET_ACCESS_KEY=/,
  },
  {
    what: 'a queue that does not answer',
    env: async () => ({ JOB_SOURCE: 'nats', NATS_URL: `nats://user:hidden@127.0.0.1:${await freePort()}` }),
    check: 'queue',
    detail: /nothing answers at 127\.0\.0\.1:\d+ \(NATS_URL\)$/,
    cure: /^nats-server -js /,
  },
  {
    what: 'a metadata service that does not answer',
    env: async () => ({ SALAD_MACHINE_ID: 'm', SALAD_METADATA_URI: `http://127.0.0.1:${await freePort()}` }),
    check: 'salad',
    detail: /the metadata service does not answer/,
    cure: /^curl /,
  },
  {
    what: 'a node that lacks what NODE_ options ask for',
    env: () => Promise.resolve({ NODE_GPU: 'true' }),
    check: 'node checks',
    detail: /gpu: no GPU/,
    cure: /docs\/salad\.md/,
  },
];

test('a set-up with nothing wrong has no problem', async (t) => {
  assert.deepEqual(
    (await findings({}, t)).filter(({ outcome }) => outcome === 'problem'),
    [],
  );
});

for (const broken of BROKEN) testNamed(broken);
