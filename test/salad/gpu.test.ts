import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAtLeast, parseCuda, parseGpu, readGpu } from '../../src/salad/gpu.ts';

test('the first GPU of nvidia-smi is read, and nothing from its messages', () => {
  const two = 'NVIDIA GeForce RTX 4090, 24564, 23987, 570.86.15, 41\nNVIDIA H200, 143771, 143000, 570.86.15, 30\n';
  assert.deepEqual(parseGpu(two), {
    name: 'NVIDIA GeForce RTX 4090',
    memoryMb: 24_564,
    freeMb: 23_987,
    driver: '570.86.15',
    celsius: 41,
  });
  assert.equal(parseGpu('NVIDIA A100, 40960, 40000, 550.54, [N/A]\n')?.celsius, undefined);
  assert.equal(parseGpu('No devices were found\n'), undefined);
  assert.equal(parseGpu('NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'), undefined);
});

test('the version of CUDA is read from the whole report', () => {
  assert.equal(
    parseCuda('Timestamp    : Mon\nDriver Version  : 570.86.15\nCUDA Version    : 12.8\n\nAttached GPUs'),
    '12.8',
  );
  assert.equal(parseCuda('CUDA Version : N/A\n'), undefined);
});

test('versions are compared number by number', () => {
  assert.ok(isAtLeast('570.86.15', '550'));
  assert.ok(isAtLeast('12.10', '12.8'));
  assert.ok(isAtLeast('12.8', '12.8.0'));
  assert.ok(!isAtLeast('12.8', '12.8.1'));
  assert.ok(!isAtLeast('11.8', '12'));
});

test('a machine without nvidia-smi rejects', async () => {
  await assert.rejects(readGpu('no-such-command'), { code: 'ENOENT' });
});
