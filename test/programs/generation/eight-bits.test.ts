import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import type { TicketOutcome } from '../../../src/lanes/protocol.ts';
import { typedView } from '../../../src/tensors/tensor.ts';
import { randomNumbers } from '../../../tools/make-mlp.ts';
import { sharedModel } from '../../shared-models.ts';
import { generate, openTestProgram, type Request } from './support.ts';

const folder = sharedModel('chat');
const weights = `${String(folder)}/onnx/model_q4.onnx`;
const EIGHT_BITS = { accuracyLevel: { model: 4 } };

/** Log probabilities of an answer: they show a change in the last bit, which tokens seldom do. */
function logprobs(outcome: TicketOutcome | undefined): number[] {
  const tensor = outcome !== undefined && 'outputs' in outcome ? outcome.outputs[1] : undefined;
  assert.ok(tensor !== undefined && tensor.datatype !== 'BYTES');
  return Array.from(typedView(tensor), Number);
}

describe(
  'generation with activations in 8 bits',
  { skip: folder === undefined && 'the real models are not here' },
  () => {
    test('gives a row the same log probabilities alone, beside others, and after others that began alike', async () => {
      const { items } = JSON.parse(await readFile(`${String(folder)}/reference.json`, 'utf8')) as {
        items: { input_ids: number[] }[];
      };
      const prompts = items.slice(0, 5).map(({ input_ids: ids }) => ids);
      const [shortest = []] = prompts;
      // One row grows past the 256 tokens that attention is added up in blocks of, and one begins beyond them.
      prompts.push(
        [...prompts.flat(), ...prompts.flat()].slice(0, 247),
        prompts.flat().concat(prompts.flat(), shortest).slice(0, 300),
      );
      // The conversation goes on.
      prompts.push([...(prompts[5] ?? []), ...shortest]);
      const requests = prompts.map((prompt): Request => ({ prompt, parameters: { maxTokens: 16, topLogprobs: 0 } }));
      const alone: number[][] = [];
      for (const request of requests) {
        const program = await openTestProgram(weights, {}, EIGHT_BITS);
        const [answer] = await generate(program, [request]);
        alone.push(logprobs(answer?.outcome));
        await program.release();
      }
      const program = await openTestProgram(weights, { prefixCacheBytes: 2 ** 26 }, EIGHT_BITS);
      assert.equal(program.description.advice, undefined);
      const random = randomNumbers(7);
      for (const round of [0, 1]) {
        const joining = requests.map((request) => ({ ...request, joins: Math.floor(random() * 12) }));
        const answers = await generate(program, joining, round * 100);
        for (const [index, { outcome }] of answers.entries())
          assert.deepEqual(logprobs(outcome), alone[index], `round ${round}, request ${index}`);
      }
      await program.release();
    });

    test('is advised where the file multiplies in float32 and model.json says nothing', async () => {
      const program = await openTestProgram(weights);
      assert.match(program.description.advice ?? '', /"accuracyLevel": 4/);
      await program.release();
    });
  },
);
