import path from 'node:path';
import { formatTable } from '../../src/benchmark/table.ts';
import { compileGrammar } from '../../src/grammar/compile.ts';
import { Grammar, Matcher } from '../../src/grammar/matcher.ts';
import { vocabularyOf } from '../../src/tasks/chat/vocabulary.ts';
import { loadTokenizer } from '../../src/tasks/text/tokenizer.ts';
import { median } from '../../src/benchmark/statistics.ts';
import type { Asked } from './questions.ts';

/** Answers made at random for each schema. */
const ANSWERS = 5;
const MOST_TOKENS = 100;

interface Times {
  /** Of steps whose mask was not known. */
  readonly first: number[];
  readonly again: number[];
}

/** Prints what a grammar costs: to compile, and at each step, for random answers with a model's own tokens. */
export async function stepCosts(folder: string, asked: readonly Asked[]): Promise<void> {
  const file = (name: string): string => path.join(folder, name);
  const tokenizer = await loadTokenizer({
    tokenizer: file('tokenizer.json'),
    tokenizerConfig: file('tokenizer_config.json'),
  });
  const startMs = performance.now();
  const vocabulary = vocabularyOf(tokenizer, []);
  console.log(
    `${tokenizer.vocabularySize} tokens, read in ${(performance.now() - startMs).toFixed()} ms, once for a thread`,
  );
  const rows = asked.map(({ about, schema }) => {
    const compileMs: number[] = [];
    const spec = { kind: 'schema', schema: JSON.stringify(schema) } as const;
    for (let round = 0; round < 5; round += 1) {
      const fromMs = performance.now();
      compileGrammar(spec, vocabulary);
      compileMs.push(performance.now() - fromMs);
    }
    const grammar = new Grammar(compileGrammar(spec, vocabulary));
    const times: Times = { first: [], again: [] };
    for (let answer = 0; answer < ANSWERS; answer += 1) write(grammar, answer, times);
    const all = [...times.first, ...times.again];
    return [
      about,
      median(compileMs).toFixed(1),
      `${times.first.length} of ${all.length}`,
      (1000 * median(times.first)).toFixed(),
      (1000 * Math.max(...times.first)).toFixed(),
      (1000 * median(times.again)).toFixed(1),
      (all.reduce((sum, ms) => sum + ms, 0) / all.length).toFixed(3),
      (grammar.bytes / 1024).toFixed(),
    ];
  });
  console.log(
    formatTable(
      ['schema', 'compile ms', 'new masks', 'median us', 'longest us', 'known: us', 'mean ms a step', 'KiB'],
      rows,
    ),
  );
}

/** An answer whose tokens are chosen at random. */
function write(grammar: Grammar, seed: number, times: Times): void {
  const matcher = new Matcher(grammar);
  let state = seed + 1;
  const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  for (let count = 0; count < MOST_TOKENS && !matcher.over; count += 1) {
    const before = grammar.masks;
    const fromMs = performance.now();
    const mask = matcher.mask();
    (grammar.masks === before ? times.again : times.first).push(performance.now() - fromMs);
    const tokens: number[] = [];
    for (let token = 0; token < mask.length * 32; token += 1)
      if ((((mask[token >> 5] ?? 0) >>> (token & 31)) & 1) === 1) tokens.push(token);
    const token = tokens[Math.floor(random() * tokens.length)];
    if (token === undefined) return;
    matcher.take(token);
  }
}
