import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { findGpus, hiddenGpu, missingProvider } from '../../src/lanes/cuda.ts';
import { installEnvironment } from '../../src/config/environment.ts';
import { installCuda } from '../../src/lanes/install-cuda.ts';

async function makeRoot(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(path.join(os.tmpdir(), 'carpool-cuda-'));
  t.after(() => rm(root, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), content);
  }
  return root;
}

test("GPUs are found by the driver's devices", async (t) => {
  const root = await makeRoot(t, { 'dev/nvidiactl': '', 'dev/nvidia10': '', 'dev/nvidia0': '', 'dev/nvidia-uvm': '' });
  assert.deepEqual(findGpus(root), [0, 10]);
  assert.equal(hiddenGpu(root), undefined);
  const wsl = await makeRoot(t, { 'dev/dxg': '', 'usr/lib/wsl/lib/libcuda.so.1': '' });
  assert.deepEqual(findGpus(wsl), [0]);
  assert.deepEqual(findGpus(await makeRoot(t, {})), []);
});

test('a GPU that the container was not given, and one without a driver, are reported with the cure', async (t) => {
  const hidden = await makeRoot(t, { 'proc/driver/nvidia/gpus/0000:01:00.0/information': '' });
  assert.match(hiddenGpu(hidden) ?? '', /--gpus all/);
  const pci = 'sys/bus/pci/devices/0000:01:00.0';
  const noDriver = await makeRoot(t, { [`${pci}/vendor`]: '0x10de\n', [`${pci}/class`]: '0x030200\n' });
  assert.match(hiddenGpu(noDriver) ?? '', /install the NVIDIA driver/);
  // Its sound controller is no GPU.
  const sound = await makeRoot(t, { [`${pci}/vendor`]: '0x10de\n', [`${pci}/class`]: '0x040300\n' });
  assert.equal(hiddenGpu(sound), undefined);
  assert.equal(hiddenGpu(await makeRoot(t, {})), undefined);
});

test('a missing provider is reported with the command that installs it, or that there is none', async (t) => {
  const root = await makeRoot(t, { 'provider.so': '' });
  assert.equal(missingProvider(path.join(root, 'provider.so'), 'linux/x64'), undefined);
  assert.match(missingProvider(path.join(root, 'none.so'), 'linux/x64') ?? '', /not installed: `npm run install-cuda`/);
  assert.match(
    missingProvider(path.join(root, 'none.so'), 'darwin/arm64') ?? '',
    /linux\/x64 only, and this is darwin/,
  );
});

test('install-cuda runs the install step of the binding, told to install, and looks for what it brings', async (t) => {
  const env = installEnvironment();
  const root = await makeRoot(t, {
    'good.js': `require('node:fs').writeFileSync(__dirname + '/provider.so', process.env.ONNXRUNTIME_NODE_INSTALL)`,
    'idle.js': '',
    'bad.js': 'process.exit(3)',
  });
  const place = (script: string, platform = 'linux/x64') => ({
    script: path.join(root, script),
    provider: path.join(root, 'provider.so'),
    platform,
  });
  await assert.rejects(installCuda(env, place('idle.js')), /could not be installed \(exit code 0\).*api\.nuget\.org/);
  await assert.rejects(installCuda(env, place('bad.js')), /exit code 3/);
  await assert.rejects(installCuda(env, place('good.js', 'linux/arm64')), /linux\/x64 only/);
  assert.equal((await installCuda(env, place('good.js'))).isNew, true);
  assert.equal((await installCuda(env, place('bad.js'))).isNew, false);
});
