import assert from 'node:assert/strict';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { post, startTestServer } from '../http/in-process.ts';
import { SHIPPED_MODELS } from '../process/carpool.ts';

/** ONNX's own test of the inverse DFT: with another axis than the last but one, ONNX Runtime 1.30 does not return from a run. */
const ENDLESS = fileURLToPath(new URL('../../../test/cases/hangs-at-load', import.meta.url));
/** [1, 6, 10, 2], all the same. */
const SIGNAL = [Array.from({ length: 6 }, () => Array.from({ length: 10 }, () => [0.5, 0.5]))];

test('a model whose trial never ends is served one by one, and those after it are loaded', async (t) => {
  const modelsDir = await mkdtemp(path.join(tmpdir(), 'carpool-hang-'));
  t.after(() => rm(modelsDir, { recursive: true, force: true }));
  await cp(ENDLESS, path.join(modelsDir, 'endless'), { recursive: true });
  const example = { data: { x: SIGNAL, axis: 0 } };
  await writeFile(path.join(modelsDir, 'endless/model.json'), JSON.stringify({ example }));
  await cp(path.join(SHIPPED_MODELS, 'square'), path.join(modelsDir, 'square'), { recursive: true });
  await using server = await startTestServer({ MODELS_DIR: modelsDir });
  const told = server.logLines.find((line) => line.includes('the trial with inputs made from its example'));
  assert.match(told ?? '', /endless.*a run did not end within 10 s/);
  const square = await post(`${server.url}/predict/square`, '{"data":3}');
  assert.deepEqual(square.json, { result: 9 });
  const { status } = await post(`${server.url}/predict/endless`, JSON.stringify({ data: { x: SIGNAL, axis: 2 } }));
  assert.equal(status, 200);
});
