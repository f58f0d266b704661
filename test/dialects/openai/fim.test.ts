import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeFim } from '../../../src/dialects/openai/fim.ts';
import { ServerError } from '../../../src/errors.ts';

const decode = (fields: object) => decodeFim(Buffer.from(JSON.stringify(fields)));

test("an editor's request becomes a prompt with its suffix", () => {
  // As Continue sends it.
  const { model, items, options, ignored } = decode({
    ...{ model: 'coder', prompt: 'def f(', suffix: '):', max_tokens: 9, temperature: 0.1, top_p: 1 },
    ...{ frequency_penalty: 0, presence_penalty: 0, stop: ['\n\n'], stream: true },
  });
  assert.deepEqual([model, options.stream, ignored], ['coder', true, []]);
  assert.deepEqual(items, [
    {
      kind: 'json',
      value: { prompt: 'def f(', suffix: '):' },
      parameters: {
        ...{ temperature: 0.1, top_p: 1, frequency_penalty: 0, presence_penalty: 0, stop: ['\n\n'], max_tokens: 9 },
      },
    },
  ]);
  // As Mistral documents it.
  assert.deepEqual(decode({ prompt: 'a', suffix: null, random_seed: 3 }).items, [
    { kind: 'json', value: { prompt: 'a' }, parameters: { seed: 3 } },
  ]);
});

test('a request without a prompt is refused', () => {
  assert.throws(
    () => decode({ suffix: 'b' }),
    (error) => error instanceof ServerError && error.param === 'prompt',
  );
});
