import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { GenerationParameters } from '../../../src/tasks/chat/generation.ts';
import { createChatTask } from '../../../src/tasks/chat/task.ts';
import type { Item, Outputs, Task } from '../../../src/tasks/task.ts';
import { float32, fromTypedArray } from '../../../src/tensors/tensor.ts';
import { refusal } from '../support.ts';
import { writeFiles } from '../text/encoder-bench.ts';
import { BYTE_TOKENIZER } from './support.ts';

async function openTask(t: TestContext): Promise<Task> {
  const { folder, files } = await writeFiles(t, {
    tokenizer: { name: 'tokenizer.json', content: BYTE_TOKENIZER },
    config: { name: 'config.json', content: { max_position_embeddings: 100 } },
  });
  return createChatTask({
    ...{ key: 'k', model: 'm', task: 'chat', folder, weights: '', files, options: {} },
    signature: { inputs: [], outputs: [], batchable: true },
  });
}

const item = (value: unknown, parameters: Readonly<Record<string, unknown>>): Item => ({
  kind: 'json',
  value,
  parameters,
});

test('an echo with log probabilities has those of the prompt, the first of them null, in one piece', async (t) => {
  const task = await openTask(t);
  const asked = item({ prompt: 'Ab' }, { echo: true, logprobs: true, top_logprobs: 1, max_tokens: 2, stop: ['d'] });
  const prepared = await task.prepare(asked);
  assert.equal((prepared.parameters as GenerationParameters).promptLogprobs, true);
  const logprobs = (prefix: string, ids: number[], values: number[]) => ({
    [`${prefix}logprobs`]: float32([1, values.length], Float32Array.from(values)),
    [`${prefix}top_tokens`]: fromTypedArray('INT32', [1, values.length, 1], Int32Array.from(ids)),
    [`${prefix}top_logprobs`]: float32([1, values.length, 1], new Float32Array(values.length).fill(-0.25)),
  });
  const outputs: Outputs = {
    tokens: fromTypedArray('INT32', [1, 2], Int32Array.from(Buffer.from('cd'))),
    ...logprobs('', [99, 100], [-1, -2]),
    ...logprobs('prompt_', [66], [-4]),
  };
  const reply = (await task.finish(outputs, prepared.memo)) as { json: Record<string, unknown> };
  const { text, echo_length: echoed, prompt_logprobs: own, logprobs: answer } = reply.json;
  assert.deepEqual([text, echoed], ['Abc', 2]);
  assert.deepEqual(own, [
    { token: 'A', id: 65, logprob: null, bytes: [65], top_logprobs: [] },
    {
      token: 'b',
      id: 98,
      logprob: -4,
      bytes: [98],
      top_logprobs: [{ token: 'B', id: 66, logprob: -0.25, bytes: [66] }],
    },
  ]);
  assert.deepEqual(
    (answer as { logprob: number }[]).map(({ logprob }) => logprob),
    [-1, -2],
  );
  const pieces: unknown[] = [];
  const context = {
    ...{
      streaming: true,
      leftMs: () => 60_000,
      onLeave: () => () => undefined,
      count: () => undefined,
      runEach: () => Promise.reject(new Error('not used')),
    },
    emit: (piece: unknown) => void pieces.push(piece),
    call: () => Promise.resolve(prepared),
    run: () => Promise.resolve(outputs),
  };
  assert.deepEqual(await task.serve?.(asked, context), reply);
  assert.deepEqual(pieces, []);
  const bare = await task.prepare(item({ prompt: 'x'.repeat(100) }, { echo: true, logprobs: true, max_tokens: 0 }));
  assert.equal(bare.cost, 100);

  assert.throws(
    () => task.prepare(item({ prompt: 'x' }, { max_tokens: 0 })),
    refusal('INVALID_INPUT', /"max_tokens": 0 is taken only with "echo"/),
  );
});
