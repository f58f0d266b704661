import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { TEXT_CLIENTS, findClient, tryClient } from '../../../tools/clients/table.ts';
import { Carpool } from '../../process/carpool.ts';
import { REFERENCE } from './support.ts';

/** Texts against those of transformers' `generate`, for tiny models of random weights in the hub's layout (tools/text-to-text-reference/make.py), by a real server. */

interface Case {
  readonly text: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly tokens: readonly number[];
  /** What `tokens` are as a text. */
  readonly answer: string;
}

/** What the task of each calls its text. */
const MODELS = { t5: 'generated_text', marian: 'translation_text', nllb: 'translation_text', bart: 'summary_text' };

function casesOf(model: string): Case[] {
  const all = JSON.parse(readFileSync(`${REFERENCE}/${model}.json`, 'utf8')) as (Omit<Case, 'text' | 'answer'> & {
    readonly source: string;
    readonly text: string;
  })[];
  return all.map(({ source, text, ...rest }) => ({ ...rest, text: source, answer: text }));
}

let carpool: Carpool;
before(async () => {
  carpool = await Carpool.start({ MODELS_DIR: REFERENCE });
});
after(() => carpool[Symbol.asyncDispose]());

async function predict(model: string, { text, parameters }: Pick<Case, 'text' | 'parameters'>): Promise<unknown> {
  const { status, body } = await carpool.post(`/predict/${model}`, { data: text, parameters });
  assert.equal(status, 200, JSON.stringify(body));
  return (body as { result: unknown }).result;
}

for (const [model, field] of Object.entries(MODELS))
  test(`texts are those of transformers, together and alone: ${model}`, async () => {
    const cases = casesOf(model);
    assert.ok(cases.some(({ tokens }) => tokens.length > 8));
    const check = (one: Case, result: unknown): void => {
      const { text, token_ids: ids, completion_tokens: count } = result as Readonly<Record<string, unknown>>;
      const what = JSON.stringify([one.text, one.parameters]);
      // The end token is counted, and is no part of the answer.
      const tokens = one.tokens.slice(0, (ids as number[]).length);
      assert.deepEqual([ids, text, count], [tokens, one.answer, one.tokens.length], what);
      assert.ok(one.tokens.length - tokens.length <= 1, what);
    };
    const together = await Promise.all(cases.map((one) => predict(model, one)));
    for (const [index, one] of cases.entries()) check(one, together[index]);
    for (const one of cases.filter((_, index) => index % 12 === 0)) check(one, await predict(model, one));
    const [{ text: inputs, parameters, answer } = assert.fail()] = cases;
    const plain = await carpool.post(`/models/${model}`, { inputs, parameters });
    assert.deepEqual(plain.body, [{ [field]: answer }]);
    const list = await carpool.post(`/models/${model}`, {
      inputs: [inputs, inputs],
      parameters: { generate_parameters: parameters, clean_up_tokenization_spaces: true },
    });
    assert.deepEqual(list.body, [{ [field]: answer }, { [field]: answer }]);
  });

const ASKED = { num_beams: 1, max_new_tokens: 7 };

test('completions and generate take the source as a prompt, whole or streamed', async () => {
  const { text, answer } = casesOf('t5').find(({ parameters }) => parameters['max_new_tokens'] === 7) ?? assert.fail();
  const asked = { model: 't5', prompt: text, max_tokens: 7, temperature: 0 };
  const whole = await carpool.post('/v1/completions', asked);
  const { choices, usage } = whole.body as { choices: { text: string }[]; usage: Record<string, number> };
  assert.deepEqual([choices[0]?.text, usage['completion_tokens']], [answer, 7]);
  const response = await fetch(`${carpool.url}/v1/completions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ ...asked, stream: true }),
  });
  const events = (await response.text()).split('\n\n').filter((block) => block.startsWith('data: {'));
  const pieces = events.map(
    (block) => (JSON.parse(block.slice(6)) as { choices: { text: string }[] }).choices[0]?.text ?? '',
  );
  assert.equal(pieces.join(''), answer);
  const generate = await carpool.post('/v2/models/t5/generate', { text_input: text, parameters: { max_tokens: 7 } });
  assert.equal((generate.body as { text_output: string }).text_output, answer);
});

test('a text ends before a stop text, and drawn tokens follow the seed', async () => {
  const [{ text, answer } = assert.fail()] = casesOf('t5');
  const stop = answer.slice(4, 6);
  const stopped = await predict('t5', { text, parameters: { num_beams: 1, max_new_tokens: 40, stop } });
  const { text: before, finish_reason: why } = stopped as Readonly<Record<string, string>>;
  assert.deepEqual([before, why], [answer.slice(0, answer.indexOf(stop)), 'stop']);
  const drawn = { temperature: 1, seed: 3, max_new_tokens: 12 };
  assert.deepEqual(await predict('t5', { text, parameters: drawn }), await predict('t5', { text, parameters: drawn }));
});

test('a source that is too long is refused, or cut where that is asked for', async () => {
  const text = 'dogs and cats '.repeat(200);
  const refused = await carpool.post('/predict/t5', { data: text, parameters: ASKED });
  assert.equal(refused.status, 422, JSON.stringify(refused.body));
  const cut = await predict('t5', { text, parameters: { ...ASKED, truncation: 'longest_first' } });
  assert.equal((cut as { prompt_tokens: number }).prompt_tokens, 128);
});

test('a client that asks T5 for a translation gets it in the field that it reads, with the prefix of the languages', async () => {
  const parameters = { ...ASKED, src_lang: 'en', tgt_lang: 'fr' };
  const { body } = await carpool.post('/models/t5', { inputs: 'A text.', parameters });
  const [{ generated_text: text, translation_text: translation }] = body as [Record<string, string>];
  assert.equal(translation, text);
  const named = await carpool.post('/predict/t5', { data: 'A text.', parameters });
  assert.equal((named.body as { result: { text: string } }).result.text, text);
  const plain = await carpool.post('/models/t5', { inputs: 'A text.', parameters: ASKED });
  assert.deepEqual(Object.keys((plain.body as object[])[0] ?? {}), ['generated_text']);
});

test('what a model does not have is refused by name', async () => {
  const refused: [string, unknown, Record<string, unknown>, RegExp][] = [
    ['nllb', 'A text.', {}, /tgt_lang.*eng_Latn/],
    ['nllb', 'A text.', { tgt_lang: 'fra_Latin' }, /Did you mean "fra_Latn"/],
    ['marian', 'A text.', { tgt_lang: 'de' }, /no language "de"; there are fr/],
    ['t5', '', {}, /empty/],
    ['t5', 7, {}, /takes a text/],
    ['t5', 'A text.', { num_beams: 17 }, /num_beams/],
    ['t5', 'A text.', { num_beams: 2, temperature: 1 }, /num_beams/],
    ['t5', 'A text.', { num_return_sequences: 2 }, /num_return_sequences/],
    ['t5', 'A text.', { max_new_token: 3 }, /Did you mean "max_new_tokens"/],
    ['bart', 'A text.', { max_new_tokens: 500 }, /127 tokens/],
    ['t5', 'A text.', { max_new_tokens: 4097 }, /4096 tokens/],
    ['t5', { prompt: 'a', suffix: 'b' }, {}, /suffix/],
  ];
  for (const [model, data, parameters, message] of refused) {
    const { status, body } = await carpool.post(`/predict/${model}`, { data, parameters });
    assert.equal(status, 422, JSON.stringify([model, parameters, body]));
    assert.match((body as { error: string }).error, message);
  }
});

for (const client of TEXT_CLIENTS) {
  const installed = findClient(client);
  const skip = installed !== undefined ? false : `${client.needs ?? ''} is not installed: see tools/clients/README.md`;
  test(`${client.title}: translation and summarization`, { skip, timeout: 60_000 }, async () => {
    assert.ok(installed);
    const models = { translation: 'marian', summarization: 'bart' };
    const features = await tryClient(client, installed, { url: carpool.url, models });
    assert.deepEqual(
      features.filter(({ skipped }) => skipped === undefined).map(({ feature, ok, error }) => [feature, ok, error]),
      [
        ['translation', true, undefined],
        ['summarization', true, undefined],
      ],
    );
  });
}
