import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { textCalls } from '../../../src/tasks/text/calls.ts';
import { createTokenizer, loadTokenizer } from '../../../src/tasks/text/tokenizer.ts';
import { BYTE_LETTERS } from '../../../src/tasks/text/tokenizer/byte-letters.ts';
import { wordPieceModel } from '../../../src/tasks/text/tokenizer/word-piece.ts';
import { sharedModel } from '../../shared-models.ts';
import { writeFiles } from './encoder-bench.ts';
import { TINY_TOKENIZER, VOCABULARY } from './tiny-encoder.ts';

function shared(name: string): { folder: string; skip: false } | { folder: undefined; skip: string } {
  const folder = sharedModel(name);
  return folder === undefined ? { folder, skip: 'the shared models are not here' } : { folder, skip: false };
}

function load(folder: string) {
  return loadTokenizer({
    tokenizer: path.join(folder, 'tokenizer.json'),
    tokenizerConfig: path.join(folder, 'tokenizer_config.json'),
    specialTokens: path.join(folder, 'special_tokens_map.json'),
  });
}

for (const name of ['sentence-embedding', 'chat']) {
  const { folder, skip } = shared(name);
  test(`ids of ${name} are those of its reference`, { skip }, async () => {
    assert.ok(folder !== undefined);
    const tokenizer = await load(folder);
    const { items } = JSON.parse(readFileSync(path.join(folder, 'reference.json'), 'utf8')) as {
      items: { text: string; prompt?: string; input_ids: number[] }[];
    };
    for (const { text, prompt, input_ids: ids } of items) assert.deepEqual(tokenizer.encode(prompt ?? text), ids);
  });
}

/** Ids by Hugging Face's tokenizers 0.23. */
const BERT_CASES: readonly (readonly [string, readonly number[]])[] = [
  ['ΣΑΣ', [1173, 14608, 29733]],
  ['\u{20bb7}\u91ce\u5bb6', [100, 1963, 1825]],
  ['\u0000\ufffda', [1037]],
  ['', []],
];
const CHAT_CASES: readonly (readonly [string, readonly number[]])[] = [
  [' ½', [216, 16738]],
  [' ²', [216, 19133]],
  ['①', [173, 235, 250]],
  ['1234567', [33, 34, 35, 36, 37, 38, 39]],
  ['<|im_end|>', [2]],
];
const WHISPER_CASES: readonly (readonly [string, readonly number[]])[] = [
  ['  \ufeffa', [220, 27332, 119, 123, 64]],
  ['a \u0085b', [64, 220, 126, 227, 65]],
];

for (const [name, cases] of [
  ['sentence-embedding', BERT_CASES],
  ['chat', CHAT_CASES],
  ['transcription', WHISPER_CASES],
] as const) {
  const { folder, skip } = shared(name);
  test(`ids of unusual characters are those of other tokenizers: ${name}`, { skip }, async () => {
    assert.ok(folder !== undefined);
    const tokenizer = await load(folder);
    for (const [text, ids] of cases)
      assert.deepEqual(tokenizer.encode(text, { addSpecialTokens: false }), ids, JSON.stringify(text));
  });
}

const whisper = shared('transcription');
test('byte-level tokens read back to any text', { skip: whisper.skip }, async () => {
  assert.ok(whisper.folder !== undefined);
  const tokenizer = await load(whisper.folder);
  const wellFormed = fc.string({ unit: 'binary', maxLength: 40 }).map((text) => Buffer.from(text).toString());
  fc.assert(
    fc.property(wellFormed, (text) => {
      assert.equal(tokenizer.decode(tokenizer.encode(text, { addSpecialTokens: false })), text);
    }),
  );
});

test('text that is half a character, empty or odd is encoded and decoded without an error', () => {
  const tokenizer = createTokenizer(TINY_TOKENIZER);
  for (const text of ['', '\ud800', 'a\udfff', '\u0000', '🙂', 'x'.repeat(500)]) {
    const ids = tokenizer.encode(text);
    assert.ok(ids.every(Number.isInteger));
    assert.equal(ids[0], 2);
    tokenizer.decode(ids);
  }
  assert.equal(tokenizer.decode([]), '');
  assert.equal(tokenizer.decode([-1, 5000, 1.5]), '');
  assert.equal(tokenizer.decode([2, 3], { skipSpecialTokens: true }), '');
});

test('a pair has its special tokens and types, also when one of its texts is empty', () => {
  const tokenizer = createTokenizer(TINY_TOKENIZER);
  assert.deepEqual(tokenizer.encode('good', { pair: 'bad' }), [2, 4, 3, 5, 3]);
  assert.deepEqual(tokenizer.encode('good', { pair: '' }), [2, 4, 3, 3]);
  assert.deepEqual(tokenizer.encode('good', { pair: 'bad', addSpecialTokens: false }), [4, 5]);
  const places = { firstAt: 1, secondAt: 4 };
  assert.deepEqual(tokenizer.frame([4, 4], [5]), { ids: [2, 4, 4, 3, 5, 3], typeIds: [0, 0, 0, 0, 1, 1], ...places });
  assert.deepEqual(tokenizer.frame([4]), { ids: [2, 4, 3], typeIds: [0, 0, 0], firstAt: 1, secondAt: 0 });
});

test("RoBERTa's pairs are all of one type", () => {
  const processor = { type: 'RobertaProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2], trim_offsets: true };
  const tokenizer = createTokenizer({ ...TINY_TOKENIZER, post_processor: processor });
  const places = { firstAt: 1, secondAt: 4 };
  assert.deepEqual(tokenizer.frame([4], [5]), { ids: [2, 4, 3, 3, 5, 3], typeIds: [0, 0, 0, 0, 0, 0], ...places });
});

test('tokens, ids and special tokens can be looked up', () => {
  const tokenizer = createTokenizer(TINY_TOKENIZER, {
    cls_token: '[CLS]',
    pad_token: { content: '[PAD]' },
    mask_token: null,
  });
  assert.equal(tokenizer.tokenToId('film'), 7);
  assert.equal(tokenizer.tokenToId('unheard'), undefined);
  assert.equal(tokenizer.idToToken(7), 'film');
  assert.equal(tokenizer.idToToken(7000), undefined);
  assert.deepEqual([...tokenizer.specialIds], [0, 1, 2, 3]);
  assert.equal(tokenizer.vocabularySize, VOCABULARY.length);
  assert.equal(tokenizer.specialToken('cls_token'), '[CLS]');
  assert.equal(tokenizer.specialToken('pad_token'), '[PAD]');
  assert.equal(tokenizer.specialToken('mask_token'), undefined);
});

test('a tokenizer that cannot be used is refused with the name of the file at fault', async (t: TestContext) => {
  await assert.rejects(loadTokenizer({}), /no tokenizer\.json/);
  await assert.rejects(
    loadTokenizer({ tokenizer: '/nowhere/tokenizer.json' }),
    /^Error: tokenizer\.json cannot be read$/,
  );
  const { files } = await writeFiles(t, {
    broken: { name: 'broken.json', content: Buffer.from('{') },
    list: { name: 'list.json', content: [] },
    good: { name: 'good.json', content: TINY_TOKENIZER },
    odd: { name: 'odd.json', content: { ...TINY_TOKENIZER, normalizer: { type: 'Strange' } } },
    bare: { name: 'bare.json', content: {} },
  });
  const file = (name: string) => files[name] ?? '';
  await assert.rejects(loadTokenizer({ tokenizer: file('broken') }), /tokenizer\.json is not valid JSON/);
  await assert.rejects(loadTokenizer({ tokenizer: file('list') }), /tokenizer\.json does not hold a JSON object/);
  await assert.rejects(loadTokenizer({ tokenizer: file('odd') }), /tokenizer\.json cannot be used: .*Strange/);
  await assert.rejects(loadTokenizer({ tokenizer: file('bare') }), /tokenizer\.json cannot be used/);
  await assert.rejects(
    loadTokenizer({ tokenizer: file('good'), tokenizerConfig: file('broken') }),
    /tokenizer_config\.json is not valid JSON/,
  );
  assert.deepEqual((await loadTokenizer({ tokenizer: file('good') })).config, {});
});

test('a long text is known to have many tokens before it is made into them', () => {
  const letters: Record<string, number> = Object.fromEntries(BYTE_LETTERS.map((letter, byte) => [letter, byte]));
  const definition = {
    model: { type: 'BPE', vocab: { ...letters, aa: 256, aaaa: 257 }, merges: ['a a', 'aa aa'] },
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false },
    added_tokens: [{ id: 258, content: '<a_b_c>' }],
  };
  const tokenizer = createTokenizer(definition);
  assert.equal(tokenizer.leastTokens('d'.repeat(100)), 100);
  assert.equal(tokenizer.leastTokens('\u4e2d'.repeat(100)), 300);
  // As many as there are, except for rounding.
  assert.ok([99, 100].includes(tokenizer.leastTokens('a'.repeat(700))));
  assert.ok([99, 100].includes(tokenizer.leastTokens('<a_b_c>'.repeat(100))));
  const dropping = { ...definition, normalizer: { type: 'Strip', strip_left: true, strip_right: true } };
  assert.equal(createTokenizer(dropping).leastTokens('d'.repeat(100)), 0);
  assert.equal(createTokenizer(TINY_TOKENIZER).leastTokens('d'.repeat(100)), 0);
});

test('calls of the tokenizer have limits of texts, tokens and ids together', () => {
  const tokenizer = createTokenizer(TINY_TOKENIZER);
  const { tokenize, decode } = textCalls({ tokenizer, maxCharacters: 1_000_000, info: { maxInputLength: 1 } });
  const tooLarge = { code: 'TOO_LARGE' };
  const many = (count: number) => Array.from({ length: count }, () => 4);
  assert.equal(tokenize({ texts: ['good', 'bad'], addSpecialTokens: false }).length, 2);
  assert.throws(
    () => tokenize({ texts: Array.from({ length: 11 }, () => ' '.repeat(100_000)), addSpecialTokens: false }),
    tooLarge,
  );
  assert.throws(
    () => tokenize({ texts: ['! '.repeat(300_000), '! '.repeat(200_001)], addSpecialTokens: false }),
    tooLarge,
  );
  assert.throws(() => decode({ ids: [many(300_000), many(200_001)], skipSpecialTokens: false }), tooLarge);
});

test('WordPiece takes the longest token that fits, every time', () => {
  const letter = fc.constantFrom('a', 'b', 'c', '🙂', 'é');
  const tokens = fc.array(fc.tuple(fc.boolean(), fc.array(letter, { minLength: 1, maxLength: 4 })), { maxLength: 12 });
  fc.assert(
    fc.property(tokens, fc.array(letter, { minLength: 1, maxLength: 12 }), (list, letters) => {
      const names = ['?', ...list.map(([later, text]) => (later ? '##' : '') + text.join(''))];
      const vocabulary = new Map(names.map((token, id) => [token, id]));
      const model = wordPieceModel({ vocabulary, unknown: '?', prefix: '##', maxCharacters: 10 });
      const made = model.encode(letters.join('')).map((id) => names[id]);
      assert.deepEqual(made, letters.length > 10 ? ['?'] : (longestFirst(letters, vocabulary) ?? ['?']));
    }),
    { numRuns: 500 },
  );
});

/** The definition, letter by letter. */
function longestFirst(letters: readonly string[], vocabulary: ReadonlyMap<string, number>): string[] | undefined {
  const tokens: string[] = [];
  for (let start = 0; start < letters.length;) {
    const ends = Array.from({ length: letters.length - start }, (_, index) => letters.length - index);
    const fits = (end: number) => (start > 0 ? '##' : '') + letters.slice(start, end).join('');
    const end = ends.find((one) => vocabulary.has(fits(one)));
    if (end === undefined) return undefined;
    tokens.push(fits(end));
    start = end;
  }
  return tokens;
}
