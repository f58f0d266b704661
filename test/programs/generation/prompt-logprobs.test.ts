import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { GENERATION_OUTPUTS } from '../../../src/tasks/chat/generation.ts';
import { typedView } from '../../../src/tensors/tensor.ts';
import { randomNumbers } from '../../../tools/make-mlp.ts';
import { sharedModel } from '../../shared-models.ts';
import { generate, openTestProgram, type Answered, type Request } from './support.ts';
import { tinyDecoder, VOCABULARY, type TinyDecoder } from './tiny-decoder.ts';

async function write(t: TestContext, kind: TinyDecoder): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'carpool-prompt-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'model.onnx');
  await writeFile(file, tinyDecoder(kind));
  return file;
}

/** Log probabilities by a plain loop: the whole text goes through the graph at once, and each position gives those of the next token. */
async function reference(session: InferenceSession, ids: readonly number[]): Promise<number[]> {
  const integers = (values: readonly number[]) =>
    new OrtTensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
  const feeds: Record<string, OrtTensor> = {
    input_ids: integers(ids),
    attention_mask: integers(ids.map(() => 1)),
    position_ids: integers(ids.map((_, place) => place)),
  };
  for (const input of session.inputMetadata)
    if (input.name.startsWith('past') && input.isTensor)
      feeds[input.name] = new OrtTensor('float32', new Float32Array(0), [
        1,
        Number(input.shape[1]),
        0,
        Number(input.shape[3]),
      ]);
  const own = Object.fromEntries(Object.entries(feeds).filter(([name]) => session.inputNames.includes(name)));
  const logits = (await session.run(own, ['logits']))['logits'];
  const vocabulary = logits?.dims[2] ?? 0;
  const values = logits?.data as Float32Array;
  return ids.slice(1).map((id, index) => {
    const row = Float64Array.from(values.subarray(index * vocabulary, (index + 1) * vocabulary));
    const most = row.reduce((greatest, value) => Math.max(greatest, value), -Infinity);
    const sum = row.reduce((total, value) => total + Math.exp(value - most), 0);
    return (row[id] ?? NaN) - most - Math.log(sum);
  });
}

function output(answer: Answered | undefined, name: (typeof GENERATION_OUTPUTS)[number]): number[] {
  assert.ok(answer?.outcome !== undefined && 'outputs' in answer.outcome, JSON.stringify(answer?.outcome));
  const tensor = answer.outcome.outputs[GENERATION_OUTPUTS.indexOf(name)];
  assert.ok(tensor !== undefined && tensor.datatype !== 'BYTES');
  return Array.from(typedView(tensor), Number);
}

function near(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  assert.equal(actual.length, expected.length);
  for (const [index, value] of expected.entries())
    assert.ok(Math.abs((actual[index] ?? NaN) - value) <= tolerance, `${index}: ${String(actual[index])} for ${value}`);
}

const wants = { topLogprobs: 2, promptLogprobs: true };

for (const kind of [{}, { taken: true }, { grouped: true }] as const)
  test(`log probabilities of prompts of any length are those of a plain loop: ${JSON.stringify(kind)}`, async (t) => {
    const program = await openTestProgram(await write(t, kind), {
      prefillChunk: 16,
      contextTokens: 256,
      prefixCacheBytes: 2 ** 20,
    });
    t.after(() => program.release());
    const session = await InferenceSession.create(await write(t, { ...kind, grouped: false }));
    const random = randomNumbers(3);
    const prompts = [1, 2, 16, 17, 90, 40].map((length) =>
      Array.from({ length }, () => Math.floor(random() * VOCABULARY)),
    );
    // The second time, other rows' caches are there, but must not be used: they have no logits.
    for (const round of [0, 1]) {
      const requests = prompts.map((prompt, index): Request => ({
        prompt,
        joins: index,
        parameters: { maxTokens: index % 3, ...(index === 5 ? {} : wants) },
      }));
      const answers = await generate(program, requests, round * 10);
      for (const [index, prompt] of prompts.slice(0, 5).entries()) {
        near(output(answers[index], 'prompt_logprobs'), await reference(session, prompt), 1e-4);
        assert.equal(output(answers[index], 'prompt_top_tokens').length, 2 * (prompt.length - 1));
        assert.equal(output(answers[index], 'tokens').length, index % 3);
        assert.equal(output(answers[index], 'logprobs').length, index % 3);
      }
      assert.deepEqual(output(answers[5], 'prompt_logprobs'), []);
    }
  });

test('a prompt that fills the whole context has log probabilities, and no answer', async (t) => {
  const program = await openTestProgram(await write(t, {}), { contextTokens: 32, prefillChunk: 16 });
  t.after(() => program.release());
  const prompt = Array.from({ length: 32 }, (_, index) => index % VOCABULARY);
  const [whole, more] = await generate(program, [
    { prompt, parameters: { maxTokens: 0, ...wants } },
    { prompt, parameters: { maxTokens: 1, ...wants } },
  ]);
  assert.equal(output(whole, 'prompt_logprobs').length, 31);
  assert.equal(more?.outcome?.ok, false);
});

const folder = sharedModel('chat');
test(
  'with a real chat model they are those of a plain loop too',
  { skip: folder === undefined && 'the real models are not here' },
  async (t) => {
    const file = `${String(folder)}/onnx/model_q4.onnx`;
    const program = await openTestProgram(file);
    t.after(() => program.release());
    const session = await InferenceSession.create(file);
    const { items } = JSON.parse(await readFile(`${String(folder)}/reference.json`, 'utf8')) as {
      items: { input_ids: number[] }[];
    };
    const prompts = items.slice(0, 3).map(({ input_ids: ids }) => ids);
    const answers = await generate(
      program,
      prompts.map((prompt) => ({ prompt, parameters: { maxTokens: 1, ...wants } })),
    );
    for (const [index, prompt] of prompts.entries())
      near(output(answers[index], 'prompt_logprobs'), await reference(session, prompt), 2e-2);
  },
);
