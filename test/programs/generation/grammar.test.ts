import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { compileGrammar } from '../../../src/grammar/compile.ts';
import { shortestAnswer } from '../../../src/grammar/compiled.ts';
import { tokenTrie } from '../../../src/grammar/token-trie.ts';
import type { Program } from '../../../src/programs/program.ts';
import { plainSampling } from '../../../src/programs/sampler/token-sampler.ts';
import type { GenerationParameters } from '../../../src/tasks/chat/generation.ts';
import { generate, GREEDY, openTestProgram, type Request } from './support.ts';
import { tinyDecoder, VOCABULARY } from './tiny-decoder.ts';

/** The last token ends answers. */
const SPELLINGS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ':',
  ',',
  'a',
  'b',
  '1',
  '0',
  'true',
  '{"',
  '":',
  '"}',
  ' ',
  'ab',
  'null',
  '',
];
const END = VOCABULARY - 1;
const trie = tokenTrie(SPELLINGS.map((text) => Buffer.from(text)));
const schema = {
  type: 'object',
  properties: { a: { type: 'string' }, b: { type: 'array', items: { enum: [true, null, 10] }, maxItems: 3 } },
  required: ['a', 'b'],
};
const grammar = compileGrammar({ kind: 'schema', schema: JSON.stringify(schema) }, { trie, specials: new Set() });
const LEAST = shortestAnswer(grammar);

let folder = '';
let program: Program;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carpool-generation-'));
  await writeFile(join(folder, 'model.onnx'), tinyDecoder({}));
  program = await openTestProgram(join(folder, 'model.onnx'), { contextTokens: 256, prefillChunk: 16 });
});
after(async () => {
  await program.release();
  await rm(folder, { recursive: true });
});

function textOf(tokens: readonly number[]): string {
  return tokens.map((token) => SPELLINGS[token] ?? '').join('');
}

function check(tokens: readonly number[], about: string): void {
  const value = JSON.parse(textOf(tokens)) as { a: unknown; b: unknown[] };
  assert.deepEqual(Object.keys(value), ['a', 'b'], about);
  assert.ok(typeof value.a === 'string' && value.b.length <= 3, about);
}

function request(seed: number, own: Partial<GenerationParameters>): Request {
  const sampling = seed === 0 ? GREEDY : plainSampling(1, seed);
  return { prompt: [seed % VOCABULARY, 3, 1], parameters: { sampling, stopTokens: [END], ...own } };
}

test('answers fit their grammar beside rows without one, whose answers stay as they are', async () => {
  const free = Array.from({ length: 3 }, (_, seed) => request(seed, { maxTokens: 30 }));
  const held = Array.from({ length: 5 }, (_, seed) => request(seed, { maxTokens: 60, grammar }));
  const alone = await generate(program, free);
  const answers = await generate(program, [...free, ...held], 100);
  assert.deepEqual(
    answers.slice(0, 3).map(({ tokens }) => tokens),
    alone.map(({ tokens }) => tokens),
  );
  for (const { tokens } of answers.slice(3)) check(tokens, textOf(tokens));
});

test('an answer is whole however few tokens it has, and then has no end of its own', async () => {
  for (let most = LEAST; most < LEAST + 20; most += 1) {
    const requests = Array.from({ length: 4 }, (_, seed) =>
      request(seed, { maxTokens: most, grammar, topLogprobs: 2 }),
    );
    for (const { tokens } of await generate(program, requests, 1000 + 10 * most)) {
      assert.ok(tokens.length <= most, `${tokens.length} of ${most}`);
      check(tokens, `${most}: ${textOf(tokens)}`);
    }
  }
  // A model that would write letters for ever is cut; one that ends the text itself is not.
  const [cut] = await generate(
    program,
    [request(0, { maxTokens: 30, grammar, sampling: { ...GREEDY, logitBias: [[7, 100]] } })],
    5000,
  );
  check(cut?.tokens ?? [], 'cut');
  assert.ok(cut?.tokens.includes(END) === false && cut.tokens.length > 20);
  const [whole] = await generate(
    program,
    [
      request(0, {
        maxTokens: 60,
        grammar,
        sampling: {
          ...GREEDY,
          logitBias: [
            [4, 50],
            [14, 50],
            [3, 50],
          ],
        },
      }),
    ],
    5001,
  );
  check(whole?.tokens ?? [], 'whole');
  assert.equal(whole?.tokens.at(-1), END);
});

test('a grammar that can go on ends where the model ends it', async () => {
  const open = compileGrammar({ kind: 'regex', text: 'a+b*' }, { trie, specials: new Set() });
  const ends = {
    ...GREEDY,
    logitBias: [
      [END, 100],
      [7, 50],
    ] as [number, number][],
  };
  const [ended] = await generate(program, [request(0, { maxTokens: 9, grammar: open, sampling: ends })], 6000);
  assert.deepEqual(ended?.tokens, [7, END]);
  const [cut] = await generate(program, [request(0, { maxTokens: 9, grammar: open, stopTokens: [] })], 6001);
  assert.match(textOf(cut?.tokens ?? []), /^a+b*$/);
});

test('drafts change no answer that has a grammar', async () => {
  const plain = await openTestProgram(join(folder, 'model.onnx'), {
    contextTokens: 256,
    prefillChunk: 16,
    drafts: false,
  });
  for (const seed of [0, 1, 2]) {
    const repeating = {
      ...plainSampling(seed, seed),
      logitBias: [
        [7, 20],
        [16, 20],
      ] as [number, number][],
    };
    const one = request(seed, { maxTokens: 80, grammar, sampling: repeating });
    const [drafted] = await generate(program, [one], 7000 + seed);
    const [other] = await generate(plain, [one]);
    assert.deepEqual(drafted?.tokens, other?.tokens);
    check(drafted?.tokens ?? [], 'drafted');
  }
  await plain.release();
});

test('a grammar that leaves too much open fails its own answer alone', async () => {
  const wild = compileGrammar(
    { kind: 'regex', text: `(${Array.from({ length: 30 }, (_, index) => `[ab]*a[ab]{${index}}`).join('|')})*` },
    { trie, specials: new Set() },
  );
  const answers = await generate(
    program,
    [request(1, { maxTokens: 40, grammar: wild }), request(1, { maxTokens: 60, grammar })],
    8000,
  );
  check(answers[1]?.tokens ?? [], 'the other');
  const [first] = answers;
  if (first?.outcome !== undefined && 'code' in first.outcome) assert.equal(first.outcome.code, 'INVALID_INPUT');
  else assert.match(textOf(first?.tokens ?? []), /^[ab]*$/);
});
