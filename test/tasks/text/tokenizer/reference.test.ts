import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { TokenEncoder } from '../../../../src/tasks/text/encode.ts';
import { createTokenizer } from '../../../../src/tasks/text/tokenizer.ts';
import { readDecoder } from '../../../../src/tasks/text/tokenizer/decoders.ts';
import { isObject, type JsonObject } from '../../../../src/json.ts';
import { readNormalizer } from '../../../../src/tasks/text/tokenizer/normalizers.ts';
import { readPreTokenizer } from '../../../../src/tasks/text/tokenizer/pre-tokenizers.ts';

/**
 * What Hugging Face's `tokenizers` does with every part of tokenizer.json, on texts of many scripts. tools/tokenizer-reference/make.py
 * makes the file; REFERENCE names another one.
 */

interface Reference {
  readonly texts: readonly string[];
  /** Parts that several definitions share; they name one as `$shared 3`. */
  readonly shared: readonly unknown[];
  /** null: the text as it went in. */
  readonly normalizers: readonly { readonly definition: JsonObject; readonly out: readonly (string | null)[] }[];
  readonly preTokenizers: readonly { readonly definition: JsonObject; readonly out: readonly (readonly string[])[] }[];
  readonly patterns: readonly Pattern[];
  readonly decoders: readonly Decoding[];
  readonly tokenizers: readonly Answers[];
  readonly characters?: Characters;
}

interface Pattern {
  readonly pattern: string;
  readonly cut: readonly (readonly string[])[];
  readonly marked: readonly (string | null)[];
}

interface Decoding {
  readonly definition: JsonObject;
  readonly tokens: readonly (readonly string[])[];
  readonly out: readonly string[];
}

interface Framed {
  readonly ids: readonly number[];
  readonly types: readonly number[];
}

interface Answers {
  readonly name: string;
  readonly definition: JsonObject;
  readonly ids: readonly (readonly number[] | 'error')[];
  /** Texts 1 to 5, special tokens included. */
  readonly framed: readonly Framed[];
  readonly pairs: readonly (Framed & { readonly texts: readonly [number, number] })[];
  readonly decoded: readonly (string | null)[];
  readonly skipped: readonly (string | null)[];
  readonly truncated: readonly Truncated[];
}

interface Truncated {
  readonly length: number;
  readonly direction: 'left' | 'right';
  readonly ids: readonly (readonly number[] | 'error')[];
}

type Ranges = readonly (readonly [number, number])[];

interface Characters {
  readonly unassigned: Ranges;
  readonly dropped: Readonly<Record<string, Ranges>>;
  readonly cut: Readonly<Record<string, Ranges>>;
  readonly matched: Readonly<Record<string, Ranges>>;
}

const FILE =
  process.env['REFERENCE'] ??
  fileURLToPath(new URL('../../../../../test/tasks/text/tokenizer/reference.json.gz', import.meta.url));
const reference = JSON.parse(gunzipSync(readFileSync(FILE)).toString()) as Reference;
const { texts } = reference;

function whole(definition: JsonObject): JsonObject {
  const filled = (value: unknown): unknown => {
    if (typeof value === 'string' && value.startsWith('$shared ')) return reference.shared[Number(value.slice(8))];
    if (Array.isArray(value)) return value.map(filled);
    return isObject(value)
      ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner)]))
      : value;
  };
  return filled(definition) as JsonObject;
}

function nameOf(definition: JsonObject): string {
  return JSON.stringify(definition).slice(0, 160);
}

/** Fails with the first text that comes out otherwise, and the number of such. */
function same<Out>(inputs: readonly unknown[], expected: readonly Out[], actual: (index: number) => Out): void {
  const wrong = expected.flatMap((want, index) => {
    const got = actual(index);
    return JSON.stringify(got) === JSON.stringify(want) ? [] : [{ input: inputs[index], want, got }];
  });
  if (wrong.length > 0)
    assert.fail(
      `${wrong.length} differ; ${wrong
        .slice(0, 4)
        .map((one) => JSON.stringify(one))
        .join('\n')}`,
    );
}

for (const { definition, out } of reference.normalizers)
  test(`a normalizer is the reference's: ${nameOf(definition)}`, () => {
    const normalize = readNormalizer(whole(definition));
    same(
      texts,
      out.map((text, index) => text ?? texts[index] ?? ''),
      (index) => normalize({ text: texts[index] ?? '', first: true }).text,
    );
  });

function cut(definition: JsonObject): (index: number) => readonly string[] {
  const preTokenize = readPreTokenizer(definition);
  return (index) => preTokenize({ texts: texts[index] === '' ? [] : [texts[index] ?? ''], first: true }).texts;
}

for (const { definition, out } of reference.preTokenizers)
  test(`a pre-tokenizer is the reference's: ${nameOf(definition)}`, () => same(texts, out, cut(definition)));

for (const { pattern, cut: pieces, marked } of reference.patterns)
  test(`a pattern matches where the reference's does: ${pattern}`, () => {
    same(texts, pieces, cut({ type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false }));
    const normalize = readNormalizer({ type: 'Replace', pattern: { Regex: pattern }, content: '\u2603' });
    same(
      texts,
      marked.map((text, index) => text ?? texts[index] ?? ''),
      (index) => normalize({ text: texts[index] ?? '', first: true }).text,
    );
  });

for (const { definition, tokens, out } of reference.decoders)
  test(`a decoder is the reference's: ${nameOf(definition)}`, () => {
    const decode = readDecoder(definition);
    same(tokens, out, (index) => decode(tokens[index] ?? []));
  });

for (const answers of reference.tokenizers) {
  const tokenizer = createTokenizer(whole(answers.definition));
  test(`ids are the reference's: ${answers.name}`, () => {
    same(texts, answers.ids, (index) => {
      try {
        return tokenizer.encode(texts[index] ?? '', { addSpecialTokens: false });
      } catch {
        return 'error';
      }
    });
    same(texts.slice(1, 6), answers.framed, (index) => {
      const { ids, typeIds } = tokenizer.frame(tokenizer.encode(texts[index + 1] ?? '', { addSpecialTokens: false }));
      return { ids, types: typeIds };
    });
    same(
      answers.pairs,
      answers.pairs.map(({ ids, types }) => ({ ids, types })),
      (index) => {
        const [one, other] = (answers.pairs[index]?.texts ?? [0, 0]).map((at) =>
          tokenizer.encode(texts[at % texts.length] ?? '', { addSpecialTokens: false }),
        );
        const { ids, typeIds } = tokenizer.frame(one ?? [], other ?? []);
        return { ids, types: typeIds };
      },
    );
  });

  test(`texts of ids are the reference's: ${answers.name}`, () => {
    const idsAt = (index: number) => (answers.ids[index] === 'error' ? [] : (answers.ids[index] ?? []));
    const decoded = answers.decoded.map((text, index) =>
      answers.ids[index] === 'error' ? '' : (text ?? texts[index] ?? ''),
    );
    same(texts, decoded, (index) => tokenizer.decode(idsAt(index)));
    const skipped = answers.skipped.map((text, index) => text ?? decoded[index] ?? '');
    same(texts, skipped, (index) => tokenizer.decode(idsAt(index), { skipSpecialTokens: true }));
  });

  test(`no text has fewer tokens than its lower bound: ${answers.name}`, () => {
    for (const [index, ids] of answers.ids.entries()) {
      const least = tokenizer.leastTokens(texts[index] ?? '');
      if (ids !== 'error') assert.ok(least <= ids.length, `${JSON.stringify(texts[index])}: ${least} > ${ids.length}`);
    }
  });

  test(`pairs are cut as the reference cuts them: ${answers.name}`, () => {
    for (const { length, direction, ids } of answers.truncated) {
      if (tokenizer.frame([], []).ids.length + 2 > length) continue;
      const encoder = new TokenEncoder(tokenizer, {
        maxLength: length,
        maxCharacters: 100_000,
        fixedLength: undefined,
      });
      same(answers.pairs, ids, (index) => {
        const [one, other] = (answers.pairs[index]?.texts ?? [0, 0]).map((at) => texts[at % texts.length] ?? '');
        return [...encoder.pair(one ?? '', other ?? '', { truncate: true, direction }).ids];
      });
    }
  });
}

if (reference.characters !== undefined) compareCharacters(reference.characters);

function compareCharacters({ unassigned, dropped, cut: cutAt, matched }: Characters): void {
  const young = setOf(unassigned);
  // Newer characters than either side's tables are left out.
  const all = Array.from({ length: 0x110000 }, (_, code) => code).filter(
    (code) => !young.has(code) && /^\P{Cn}$/u.test(String.fromCodePoint(code)) && !(code >= 0xd800 && code < 0xe000),
  );
  const check = (want: Ranges, holds: (character: string) => boolean): void => {
    const wanted = setOf(want);
    const wrong = all.filter((code) => holds(String.fromCodePoint(code)) !== wanted.has(code));
    assert.deepEqual(
      wrong.map((code) => code.toString(16)),
      [],
    );
  };
  const bert = {
    type: 'BertNormalizer',
    clean_text: false,
    handle_chinese_chars: false,
    strip_accents: false,
    lowercase: false,
  };
  for (const [name, ranges] of Object.entries(dropped))
    test(`every character is dropped or kept as in the reference: ${name}`, () => {
      const [type, option] = name.split(' ');
      const normalize = readNormalizer(option === undefined ? { type } : { ...bert, [option]: true });
      check(ranges, (character) => normalize({ text: character, first: true }).text === '');
    });
  for (const [name, ranges] of Object.entries(cutAt))
    test(`every character is cut at or not as in the reference: ${name}`, () => {
      const preTokenize = readPreTokenizer({ type: name });
      check(ranges, (character) => preTokenize({ texts: [`a${character}a`], first: true }).texts.length > 1);
    });
  for (const [name, ranges] of Object.entries(matched))
    test(`every character is in a class or not as in the reference: ${name}`, () => {
      const preTokenize = readPreTokenizer({
        type: 'Split',
        pattern: { Regex: `(?:${name})+` },
        behavior: 'Removed',
        invert: false,
      });
      check(ranges, (character) => preTokenize({ texts: [character], first: true }).texts.length === 0);
    });
}

function setOf(ranges: Ranges): ReadonlySet<number> {
  const codes = new Set<number>();
  for (const [first, last] of ranges) for (let code = first; code <= last; code += 1) codes.add(code);
  return codes;
}

test('a part that was not compared is refused by its name', () => {
  const good = whole(reference.tokenizers[0]?.definition ?? {});
  const withPart = (name: string, part: unknown) => () => createTokenizer({ ...good, [name]: part });
  assert.throws(withPart('normalizer', { type: 'Strange' }), /the normalizer Strange is not supported/);
  assert.throws(
    withPart('normalizer', { type: 'Sequence', normalizers: [{ type: 'Odd' }] }),
    /the normalizer Odd is not supported/,
  );
  assert.throws(
    withPart('normalizer', { type: 'Lowercase', locale: 'tr' }),
    /Lowercase: the option locale is not supported/,
  );
  assert.throws(
    withPart('pre_tokenizer', { type: 'UnicodeScripts' }),
    /the pre-tokenizer UnicodeScripts is not supported/,
  );
  assert.throws(
    withPart('normalizer', { type: 'Replace', pattern: { Regex: '(?i)STRASSE' }, content: '' }),
    /ST without regard to case/,
  );
  assert.throws(
    withPart('pre_tokenizer', { type: 'Split', pattern: { Regex: '(a)\\1' }, behavior: 'Isolated' }),
    /\\1 in a pattern is not supported/,
  );
  assert.throws(
    withPart('pre_tokenizer', { type: 'Split', pattern: { Regex: 'a' }, behavior: 'Kept' }),
    /Split: behavior/,
  );
  assert.throws(withPart('post_processor', { type: 'Strange' }), /the post-processor Strange is not supported/);
  assert.throws(withPart('decoder', { type: 'Strange' }), /the decoder Strange is not supported/);
  assert.throws(withPart('model', { type: 'Strange' }), /the model Strange is not supported/);
  const model = isObject(good['model']) ? good['model'] : {};
  assert.throws(withPart('model', { ...model, dropout: 0.1 }), /dropout/);
  assert.throws(withPart('model', { ...model, merges: [['zz', 'zy']] }), /"zz"/);
  assert.throws(withPart('model', undefined), /model/);
  assert.throws(withPart('added_tokens', [{ id: 1 }]), /added_tokens/);
});
