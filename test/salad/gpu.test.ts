import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseGpu, readGpu } from '../../src/salad/gpu.ts';

test('the first GPU of nvidia-smi is read, and nothing from its messages', () => {
  const two = 'NVIDIA GeForce RTX 4090, 24564, 23987, 570.86.15\nNVIDIA H200, 143771, 143000, 570.86.15\n';
  assert.deepEqual(parseGpu(two), {
    name: 'NVIDIA GeForce RTX 4090',
    memoryMb: 24_564,
    freeMb: 23_987,
    driver: '570.86.15',
  });
  assert.equal(parseGpu('No devices were found\n'), undefined);
  assert.equal(parseGpu('NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'), undefined);
});

test('a machine without nvidia-smi rejects', async () => {
  await assert.rejects(readGpu('no-such-command'), { code: 'ENOENT' });
});
