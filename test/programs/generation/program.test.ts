import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { argmax } from '../../../src/programs/sampler/ranking.ts';
import { randomNumbers } from '../../../tools/make-mlp.ts';
import type { Program } from '../../../src/programs/program.ts';
import { plainSampling } from '../../../src/programs/sampler/token-sampler.ts';
import type { Sampling } from '../../../src/tasks/chat/generation.ts';
import { PROGRESS_BEGUN } from '../../../src/device.ts';
import { generate, GREEDY, LANE, openTestProgram, promptTensor, type Request } from './support.ts';
import { POSITIONS, tinyDecoder, VOCABULARY, type TinyDecoder } from './tiny-decoder.ts';

/** Enough for all sizes. */
const WARMTH = { runMs: 60_000, allMs: 60_000, repeat: true };

const KINDS: Readonly<Record<string, TinyDecoder>> = {
  'a plain export': {},
  'a plain export without positions': { positions: false },
  'a plain export that takes no further nodes': { taken: true },
  'a plain export whose weights spell GroupQueryAttention': { spells: true },
  'a graph with GroupQueryAttention': { grouped: true },
};

const OPTIONS = { contextTokens: 256, prefillChunk: 16 };

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carpool-generation-'));
});
after(() => rm(folder, { recursive: true }));

async function write(kind: TinyDecoder): Promise<string> {
  const file = join(folder, `${JSON.stringify(kind).replaceAll(/\W/g, '')}.onnx`);
  await writeFile(file, tinyDecoder(kind));
  return file;
}

/** The loop that needs no cache: the whole text through the graph for each token. */
async function reference(session: InferenceSession, prompt: readonly number[], count: number): Promise<number[]> {
  const all = [...prompt];
  const integers = (values: readonly number[]) =>
    new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
  const nothing = () => new Tensor('float32', new Float32Array(0), [1, 2, 0, 8]);
  for (let step = 0; step < count; step += 1) {
    const feeds = {
      input_ids: integers(all),
      attention_mask: integers(all.map(() => 1)),
      ...(session.inputNames.includes('position_ids') ? { position_ids: integers(all.map((_, place) => place)) } : {}),
      'past_key_values.0.key': nothing(),
      'past_key_values.0.value': nothing(),
    };
    const logits = (await session.run(feeds))['logits']?.data as Float32Array;
    all.push(argmax(logits.subarray(logits.length - VOCABULARY)));
  }
  return all.slice(prompt.length);
}

/** Runs of graphs in this process so far. */
function runsBegun(): number {
  return new Int32Array(LANE.progress)[PROGRESS_BEGUN] ?? 0;
}

function randomPrompt(random: () => number, most: number): number[] {
  return Array.from({ length: 1 + Math.floor(random() * most) }, () => Math.floor(random() * VOCABULARY));
}

for (const [what, kind] of Object.entries(KINDS))
  describe(`generation with ${what}`, () => {
    let program: Program;
    let session: InferenceSession;
    before(async () => {
      const file = await write(kind);
      program = await openTestProgram(file, OPTIONS);
      // The written-out attention is the reference of both.
      session = await InferenceSession.create(await write({ ...kind, grouped: false }));
    });
    after(() => program.release());

    test('gives the tokens of the loop without a cache, for rows that join and leave at any step', async () => {
      const random = randomNumbers(11);
      const requests: Request[] = Array.from({ length: 14 }, (_, index) => ({
        prompt: randomPrompt(random, index % 3 === 0 ? 90 : 12),
        joins: Math.floor(random() * 40),
        parameters: { maxTokens: 1 + Math.floor(random() * 60) },
        ...(index % 4 === 3 ? { leavesAt: 1 + Math.floor(random() * 20) } : {}),
      }));
      const answers = await generate(program, requests);
      for (const [index, { prompt, leavesAt }] of requests.entries()) {
        const tokens = answers[index]?.tokens ?? [];
        assert.ok(tokens.length >= Math.min(leavesAt ?? 1, requests[index]?.parameters?.maxTokens ?? 1));
        assert.deepEqual(tokens, await reference(session, prompt, tokens.length), `request ${index}`);
      }
    });

    test('ends at a stop token and at maxTokens, and reports all tokens but the last before', async () => {
      const prompt = [3, 1, 4];
      const expected = await reference(session, prompt, 12);
      const stop = expected[5] ?? 0;
      const cut = expected.slice(0, expected.indexOf(stop) + 1);
      const [stopped, whole] = await generate(program, [
        { prompt, parameters: { maxTokens: 12, stopTokens: [stop] } },
        { prompt, parameters: { maxTokens: 12 } },
      ]);
      assert.deepEqual(stopped?.tokens, cut);
      assert.deepEqual(whole?.tokens, expected);
      assert.deepEqual(whole.told, expected.slice(0, whole.told.length));
    });

    test('refuses a bad prompt alone', async () => {
      const [good, unknown, negative, long] = await generate(program, [
        { prompt: [1, 2, 3], parameters: { maxTokens: 4 } },
        { prompt: [1, VOCABULARY] },
        { prompt: [-1] },
        { prompt: Array<number>(256).fill(1) },
      ]);
      assert.deepEqual(good?.tokens, await reference(session, [1, 2, 3], 4));
      for (const refused of [unknown, negative, long])
        assert.ok(refused?.outcome?.ok === false && refused.outcome.code === 'INVALID_INPUT');
    });

    test('computes only the rest of a prompt that begins like one before, or like one that runs', async () => {
      const keeping = await openTestProgram(await write(kind), { ...OPTIONS, prefixCacheBytes: 2 ** 20 });
      const random = randomNumbers(5);
      const system = Array.from({ length: 50 }, () => Math.floor(random() * VOCABULARY));
      const ask = (rest: number[], joins = 0): Request => ({
        prompt: [...system, ...rest],
        joins,
        parameters: { maxTokens: 12 },
      });
      const [first] = await generate(keeping, [ask([1, 2])]);
      // Four pieces of 16; no other row waits for a step.
      assert.equal(first?.runsToFirst, 4);
      const conversation = [1, 2, ...first.tokens, 7];
      const requests = [ask([3]), ask([1, 2]), ask(conversation, 5), ask([3, 9], 9), ask([])];
      const answers = await generate(keeping, requests, 10);
      for (const [index, { prompt }] of requests.entries())
        assert.deepEqual(answers[index]?.tokens, await reference(session, prompt, 12), `request ${index}`);
      for (const [index, answer] of answers.entries())
        assert.ok(answer.runsToFirst <= 2, `request ${index} waited ${answer.runsToFirst} runs for its first token`);
      await keeping.release();
    });

    test('drafts change no answer, and a text that repeats itself takes fewer runs', async () => {
      const file = await write(kind);
      const plain = await openTestProgram(file, { ...OPTIONS, drafts: false });
      const counts: number[] = [];
      // One token again and again, and one that another follows now and then.
      const repeating: Sampling = { ...GREEDY, logitBias: [[7, 1000]] };
      const mixed: Sampling = {
        ...plainSampling(20, 4),
        logitBias: [
          [7, 1000],
          [8, 950],
        ],
      };
      for (const sampling of [repeating, mixed]) {
        const request: Request = { prompt: [3, 1, 4], parameters: { maxTokens: 90, topLogprobs: 0, sampling } };
        for (const one of [plain, program]) {
          const formerRuns = runsBegun();
          const [answer] = await generate(one, [request]);
          counts.push(runsBegun() - formerRuns);
          const [other] = await generate(plain, [request]);
          assert.deepEqual(answer?.tokens, other?.tokens);
        }
      }
      const [greedy = 0, greedyDrafted = 0, sampled = 0, sampledDrafted = 0] = counts;
      assert.ok(greedyDrafted < greedy / 3 && sampledDrafted < sampled, counts.join());
      await plain.release();
    });

    test('warms every size it is asked for, and generates as before afterwards', async () => {
      const runs = await program.warm({ sizes: [1, 3], limits: { maxItems: 3, maxCost: 1000 }, budget: WARMTH });
      assert.deepEqual(
        runs.map(({ items }) => items),
        [1, 3],
      );
      const [answer] = await generate(program, [{ prompt: [5], parameters: { maxTokens: 3 } }]);
      assert.deepEqual(answer?.tokens, await reference(session, [5], 3));
    });
  });

describe('generation', () => {
  let program: Program;
  before(async () => {
    program = await openTestProgram(await write({}), { contextTokens: 256, prefillChunk: 16 });
  });
  after(() => program.release());

  test('the same seed gives the same answer alone and beside others', async () => {
    const sampling = { ...GREEDY, temperature: 1, topP: 0.95 };
    const request = (seed: number, joins = 0): Request => ({
      prompt: [seed % VOCABULARY, 2],
      joins,
      parameters: { maxTokens: 30, sampling: { ...sampling, seed } },
    });
    const seeds = [1, 2, 3, 4, 5];
    const together = await generate(
      program,
      seeds.map((seed) => request(seed, seed)),
    );
    for (const [index, seed] of seeds.entries()) {
      const [alone] = await generate(program, [request(seed)], 100);
      assert.deepEqual(together[index]?.tokens, alone?.tokens);
    }
    assert.notDeepEqual(together[0]?.tokens, together[1]?.tokens);
  });

  test('tells log probabilities of the logits, whose exponentials sum to one', async () => {
    const [answer] = await generate(program, [
      { prompt: [7, 8], parameters: { maxTokens: 3, topLogprobs: VOCABULARY } },
    ]);
    assert.ok(answer?.outcome !== undefined && 'outputs' in answer.outcome);
    const [, logprobs, topTokens, topLogprobs] = answer.outcome.outputs;
    assert.deepEqual(logprobs?.shape, [1, 3]);
    assert.deepEqual(topTokens?.shape, [1, 3, VOCABULARY]);
    const values = new Float32Array((topLogprobs?.data as Uint8Array).buffer);
    for (let token = 0; token < 3; token += 1) {
      const row = values.subarray(token * VOCABULARY, (token + 1) * VOCABULARY);
      assert.ok(Math.abs(row.reduce((sum, value) => sum + Math.exp(value), 0) - 1) < 1e-4);
      assert.equal(row[0], new Float32Array((logprobs.data as Uint8Array).buffer)[token]);
    }
  });

  test('a prompt longer than the chunk takes several runs, between which the others go on', async () => {
    const [short, long] = await generate(program, [
      { prompt: [1], parameters: { maxTokens: 40 } },
      { prompt: Array<number>(40).fill(2), joins: 1, parameters: { maxTokens: 2 } },
    ]);
    assert.equal(short?.runsToFirst, 1);
    // A step for the other row first, then three pieces with a step between each two.
    assert.equal(long?.runsToFirst, 6);
  });

  test('a row whose run fails ends alone; those beside it and after it are served', async () => {
    // The graph has no positions beyond these, whatever the options say.
    const wide = await openTestProgram(await write({}), { contextTokens: 1000, prefillChunk: 1000 });
    const prompts = [[1, 2], Array<number>(POSITIONS - 5).fill(3), [4]];
    const request = (prompt: readonly number[]): Request => ({ prompt, parameters: { maxTokens: 20 } });
    const [first, failing, last] = await generate(wide, prompts.map(request));
    assert.ok(failing?.outcome?.ok === false && failing.outcome.code === 'INFERENCE_FAILED');
    const [alone] = await generate(wide, [request([1, 2])], 10);
    assert.deepEqual(first?.tokens, alone?.tokens);
    assert.equal(last?.tokens.length, 20);
    await wide.release();
  });

  test('a ticket that goes on without ever having come is lost alone, and may be sent again', async () => {
    const answer = await program.run([
      { id: 70 },
      { id: 71, inputs: [promptTensor([1])], parameters: { sampling: GREEDY, maxTokens: 1, stopTokens: [] } },
    ]);
    assert.deepEqual(
      answer.outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.code)),
      ['LANE_LOST', 'ok'],
    );
  });

  test('keys and values are limited by tokens', async () => {
    const bytes = 2 * 2 * 8 * 4;
    const small = await openTestProgram(await write({}), { kvCacheBytes: 100 * bytes });
    assert.equal(small.description.limits?.maxCost, 100);
    assert.equal(small.description.stepping, true);
    assert.deepEqual(
      small.description.graph?.outputs.map(({ name }) => name),
      ['logits', 'present.0.key', 'present.0.value'],
    );
    await small.release();
  });
});
