import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
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
const MODELS = { t5: 'generated_text' };

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
    for (const one of cases.slice(0, 6)) check(one, await predict(model, one));
    const [{ text: inputs, parameters, answer } = assert.fail()] = cases;
    const plain = await carpool.post(`/models/${model}`, { inputs, parameters });
    assert.deepEqual(plain.body, [{ [field]: answer }]);
    const list = await carpool.post(`/models/${model}`, {
      inputs: [inputs, inputs],
      parameters: { generate_parameters: parameters },
    });
    assert.deepEqual(list.body, [{ [field]: answer }, { [field]: answer }]);
  });
