import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { post, startTestServer } from '../http/in-process.ts';

/**
 * Small models that were once served wrongly (test/cases), with what Python onnxruntime gives to each of their inputs: the server gives the same
 * alone and in company.
 */

const CASES = fileURLToPath(new URL('../../../test/cases', import.meta.url));
const ROUNDS = 8;
const TOLERANCE = 1e-5;

interface Tensor {
  readonly shape: readonly number[];
  readonly datatype?: string;
  readonly data: readonly number[];
}
interface Case {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

test('models that were once served wrongly give what Python onnxruntime gives', async (t) => {
  const modelsDir = await mkdtemp(path.join(tmpdir(), 'carpool-cases-'));
  t.after(() => rm(modelsDir, { recursive: true, force: true }));
  await cp(CASES, modelsDir, { recursive: true });
  // Its trial takes its time: hanging-trial.test.ts.
  await rm(path.join(modelsDir, 'hangs-at-load'), { recursive: true });
  await using server = await startTestServer({ MODELS_DIR: modelsDir, MODEL_ERRORS: 'serve' });
  const expected = JSON.parse(await readFile(path.join(CASES, 'expected.json'), 'utf8')) as Record<string, Case[]>;
  const check = async (model: string, { inputs, outputs }: Case): Promise<void> => {
    const body = { inputs: Object.entries(inputs).map(([name, tensor]) => ({ name, ...tensor })) };
    const answer = await post(`${server.url}/v2/models/${model}/infer`, JSON.stringify(body));
    assert.equal(answer.status, 200, `${model}: ${JSON.stringify(answer.json)}`);
    const found = new Map(
      (answer.json as { outputs: (Tensor & { name: string })[] }).outputs.map((one) => [one.name, one]),
    );
    for (const [name, wanted] of Object.entries(outputs)) {
      const output = found.get(name);
      assert.deepEqual(output?.shape, wanted.shape, `${model}: ${name}`);
      const size = Math.max(...wanted.data.map(Math.abs), 1e-6);
      for (const [index, value] of wanted.data.entries())
        assert.ok(
          Math.abs(value - (output.data[index] ?? NaN)) <= TOLERANCE * size,
          `${model}: ${name}[${index}] is ${output.data[index] ?? ''}, not ${value}`,
        );
    }
  };
  for (const [model, cases] of Object.entries(expected))
    await t.test(model, async () => {
      for (const one of cases) await check(model, one);
      for (let round = 0; round < ROUNDS; round += 1) await Promise.all(cases.map((one) => check(model, one)));
    });

  await t.test('the map of scikit-learn is a tensor', () =>
    check('skl-forest-zipmap', {
      inputs: { X: { shape: [1, 4], datatype: 'FP32', data: [0.1, 0.2, 0.3, 0.4] } },
      outputs: {
        output_label: { shape: [1], data: [0] },
        output_probability: { shape: [1, 3], data: [0.9, 0.1, 0] },
      },
    }),
  );

  await t.test('a Git LFS pointer in place of the weights is told', () => {
    assert.ok(server.logLines.some((line) => line.includes('bad-lfs-pointer') && line.includes('Git LFS pointer')));
  });
});
