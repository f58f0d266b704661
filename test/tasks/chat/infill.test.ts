import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ServerError } from '../../../src/errors.ts';
import type { GenerationParameters } from '../../../src/tasks/chat/generation.ts';
import { createChatTask } from '../../../src/tasks/chat/task.ts';
import { typedView } from '../../../src/tensors/tensor.ts';
import { infillOf } from '../../../src/tasks/chat/infill.ts';
import { createTokenizer } from '../../../src/tasks/text/tokenizer.ts';
import { BYTE_TOKENIZER, byteTokenizer, HELLO, item, makeChatFolder } from './support.ts';

const special = (id: number, content: string) => ({
  ...{ id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
});
/** A tokenizer of bytes with further tokens from 256 on. */
const having = (...tokens: string[]) =>
  createTokenizer({ ...BYTE_TOKENIZER, added_tokens: tokens.map((token, at) => special(256 + at, token)) });
const bytes = (text: string): number[] => [...Buffer.from(text)];

test("prompts have each family's tokens in its order", () => {
  const prompts: [string[], number[], number[]][] = [
    [
      ['<|fim_prefix|>', '<|fim_middle|>', '<|fim_suffix|>', '<|endoftext|>'],
      [256, ...bytes('a '), 258, ...bytes(' b'), 257],
      [259, 256, 258, 257],
    ],
    [
      ['<fim_prefix>', '<fim_suffix>', '<fim_middle>', '<file_sep>'],
      [256, ...bytes('a '), 257, ...bytes(' b'), 258],
      [259, 256, 257, 258],
    ],
    [
      ['<｜fim▁begin｜>', '<｜fim▁hole｜>', '<｜fim▁end｜>'],
      [256, ...bytes('a '), 257, ...bytes(' b'), 258],
      [256, 257, 258],
    ],
    [
      ['[PREFIX]', '[SUFFIX]'],
      [257, ...bytes(' b'), 256, ...bytes('a ')],
      [256, 257],
    ],
  ];
  for (const [tokens, ids, ends] of prompts) {
    const infill = infillOf(having(...tokens));
    assert.deepEqual(infill?.encode('a ', ' b'), ids, tokens[0]);
    assert.deepEqual(infill.stopTokens, ends, tokens[0]);
  }
});

test('a vocabulary without such tokens, or with only some of them, cannot', () => {
  assert.equal(infillOf(byteTokenizer()), undefined);
  assert.equal(infillOf(having('<fim_prefix>', '<fim_suffix>')), undefined);
});

test("Code Llama's suffix goes on without the space that begins a text, and its prompt with the token that begins all", () => {
  const words = ['<unk>', '<s>', '▁', 'a', 'b', '<0x0A>', '▁<PRE>', '▁<SUF>', '▁<MID>', '▁<EOT>', '▁b'];
  const tokenizer = createTokenizer({
    model: {
      ...{ type: 'BPE', vocab: Object.fromEntries(words.map((word, id) => [word, id])), unk_token: '<unk>' },
      ...{ merges: ['▁ b'], byte_fallback: true, fuse_unk: true },
    },
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    added_tokens: [special(1, '<s>')],
  });
  const infill = infillOf(tokenizer);
  assert.deepEqual(infill?.encode('b', 'b'), [1, 6, 10, 7, 4, 8]);
  assert.deepEqual(infill.stopTokens, [9, 6, 7, 8]);
});

test('the task fills in the middle: the prompt has both texts, and the family ends it', async (t) => {
  const chat = await makeChatFolder();
  t.after(() => chat[Symbol.asyncDispose]());
  const marks = ['<fim_prefix>', '<fim_suffix>', '<fim_middle>'];
  const file = join(chat.source().folder, 'code.json');
  await writeFile(
    file,
    JSON.stringify({
      ...BYTE_TOKENIZER,
      added_tokens: [...BYTE_TOKENIZER.added_tokens, ...marks.map((mark, at) => special(258 + at, mark))],
    }),
  );
  const task = await createChatTask(chat.source({ files: { ...chat.without('tokenizer'), tokenizer: file } }));
  const { inputs, parameters } = await task.prepare(item({ prompt: 'a', suffix: 'b' }));
  assert.ok(inputs['prompt']?.datatype === 'INT32');
  assert.deepEqual([...(typedView(inputs['prompt']) as Int32Array)], [258, 97, 259, 98, 260]);
  assert.deepEqual((parameters as GenerationParameters).stopTokens, [256, 3, 258, 259, 260]);
  const refused = (value: unknown, own: object, param: string) =>
    assert.rejects(
      async () => task.prepare(item(value, { ...own })),
      (error) => error instanceof ServerError && error.code === 'INVALID_INPUT' && error.param === param,
    );
  await refused({ prompt: [1], suffix: 'b' }, {}, 'suffix');
  await refused({ ...HELLO, suffix: 'b' }, {}, 'suffix');
  await refused({ prompt: 'a', suffix: 'b' }, { echo: true }, 'echo');
  await refused({ prompt: 'a', suffix: 'b' }, { min_tokens: 5, max_tokens: 4 }, 'min_tokens');
  const plain = await createChatTask(chat.source());
  await assert.rejects(
    async () => plain.prepare(item({ prompt: 'a', suffix: 'b' })),
    (error) =>
      error instanceof ServerError &&
      error.reason === 'unsupported_parameter' &&
      /fill in the middle/.test(error.message),
  );
});
