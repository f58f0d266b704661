import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addNodeHeaders } from '../../src/http/node-headers.ts';
import { createLogs } from '../../src/log.ts';
import { identityOf, logFields } from '../../src/salad/identity.ts';
import { emptyTiming } from '../../src/serving/timing.ts';

const IDS = { SALAD_MACHINE_ID: 'machine-1', SALAD_CONTAINER_GROUP_ID: 'group-1' };
const NOWHERE = { SALAD_MACHINE_ID: '', SALAD_CONTAINER_GROUP_ID: '' };

test('the GPU is named in headers and results once it is known, in characters that a header can hold', () => {
  const node = identityOf(IDS);
  assert.ok(node);
  assert.equal(node.headers['X-GPU-Name'], undefined);
  node.nameGpu('NVIDIA RTX\u2122 4090');
  assert.deepEqual(node.headers, {
    'X-Salad-Machine-ID': 'machine-1',
    'X-Salad-Container-Group-ID': 'group-1',
    'X-GPU-Name': 'NVIDIA RTX? 4090',
  });
  assert.equal(node.facts['machine_id'], 'machine-1');
  assert.equal(identityOf(NOWHERE), undefined);
});

test('a transcription has its real-time factor: seconds of audio a second', () => {
  const head: Record<string, string | number> = {};
  const timing = { ...emptyTiming(), audioSeconds: 60 };
  addNodeHeaders(head, { model: { name: 'whisper' }, timing, elapsedMs: 1500 });
  assert.deepEqual(
    [head['X-Model-ID'], head['X-Processing-Time'], head['X-Realtime-Factor']],
    ['whisper', '1.500', '40.00'],
  );
});

test('log lines have the ids of the node on SaladCloud alone', () => {
  const lines: string[] = [];
  const stream = { write: (line: string) => void lines.push(line) };
  createLogs({ level: 'info', pretty: false, fields: logFields(IDS), stream }).access.info('request');
  createLogs({ level: 'info', pretty: false, fields: logFields(NOWHERE), stream }).access.info('request');
  const [here, elsewhere] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual([here?.['machineId'], here?.['containerGroupId']], ['machine-1', 'group-1']);
  assert.equal(elsewhere?.['machineId'], undefined);
});
