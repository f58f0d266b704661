import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import type { Program } from '../../../src/programs/program.ts';
import { randomNumbers } from '../../../tools/make-mlp.ts';
import { sharedModel } from '../../shared-models.ts';
import { generate, openTestProgram, type Request } from './support.ts';

interface Case {
  readonly question: string;
  readonly input_ids: readonly number[];
  readonly output_ids: readonly number[];
}

const END = 2;
const MAX_TOKENS = 48;
const folder = sharedModel('chat');

describe('generation with a real chat model', { skip: folder === undefined && 'the real models are not here' }, () => {
  let program: Program;
  let cases: readonly Case[] = [];

  before(async () => {
    program = await openTestProgram(`${String(folder)}/onnx/model_q4.onnx`);
    cases = (JSON.parse(await readFile(`${String(folder)}/reference.json`, 'utf8')) as { items: Case[] }).items;
  });
  after(() => program.release());

  function request({ input_ids: prompt }: Case, own: Partial<Request> = {}): Request {
    return { prompt, parameters: { maxTokens: MAX_TOKENS, stopTokens: [END] }, ...own };
  }

  function expected({ output_ids: ids }: Case): number[] {
    return ids.length < MAX_TOKENS ? [...ids, END] : [...ids];
  }

  test('each greedy answer is the reference, token for token, alone', async () => {
    for (const one of cases) {
      const [answer] = await generate(program, [request(one)]);
      assert.deepEqual(answer?.tokens, expected(one), one.question);
    }
  });

  test('so are all eight in one batch', async () => {
    const answers = await generate(
      program,
      cases.map((one) => request(one)),
    );
    for (const [index, one] of cases.entries()) assert.deepEqual(answers[index]?.tokens, expected(one), one.question);
  });

  test('so they are while rows join and leave at random steps', async () => {
    const random = randomNumbers(3);
    const order = [...cases, ...cases.slice(2, 6)];
    const requests = order.map((one, index) =>
      request(one, {
        joins: Math.floor(random() * 30),
        // Clients that leave mid-way.
        ...(index >= cases.length ? { leavesAt: 1 + Math.floor(random() * 20) } : {}),
      }),
    );
    const answers = await generate(program, requests);
    for (const [index, one] of order.entries()) {
      const tokens = answers[index]?.tokens ?? [];
      const whole = expected(one);
      const { leavesAt = whole.length } = requests[index] ?? {};
      assert.deepEqual(tokens, whole.slice(0, Math.min(leavesAt, whole.length)), one.question);
    }
  });

  test('a newcomer has its first token after the run that computes its prompt', async () => {
    const [first, second] = cases;
    assert.ok(first !== undefined && second !== undefined);
    const answers = await generate(program, [request(first), request(second, { joins: 3, leavesAt: 1 })]);
    assert.deepEqual(
      answers.map(({ runsToFirst }) => runsToFirst),
      [1, 1],
    );
  });
});
