import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Item, Prepared, TaskSource, Work } from '../../../src/tasks/task.ts';
import { typedView } from '../../../src/tensors/tensor.ts';
import { createTokenizer, type TextTokenizer } from '../../../src/tasks/text/tokenizer.ts';

/** GPT-2's letters for bytes, in byte order. */
const LETTERS = ((): string[] => {
  let other = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad);
    return String.fromCodePoint(printable ? byte : other++);
  });
})();

const special = (id: number, content: string) => ({
  ...{ id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
});

/** tokenizer.json of a byte-level tokenizer whose tokens are the bytes, id = byte; 256 ends a text, 257 begins one. */
export const BYTE_TOKENIZER = {
  model: { type: 'BPE', vocab: Object.fromEntries(LETTERS.map((letter, byte) => [letter, byte])), merges: [] },
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
  decoder: { type: 'ByteLevel' },
  added_tokens: [special(256, '<end>'), special(257, '<begin>')],
};

export function byteTokenizer(): TextTokenizer {
  return createTokenizer(BYTE_TOKENIZER, { eos_token: '<end>', bos_token: '<begin>' });
}

/** A tokenizer as SentencePiece's: words begin with U+2581, bytes without a token are spelled out. */
export function sentencePieceTokenizer(): TextTokenizer {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const words = ['<unk>', '\u2581Hello', '\u2581wor', 'ld', '!', '\u2581'];
  const vocab = Object.fromEntries([...words, ...bytes].map((token, id) => [token, id]));
  return createTokenizer({
    model: { type: 'BPE', vocab, merges: [], byte_fallback: true, fuse_unk: true, unk_token: '<unk>' },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '\u2581' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
  });
}

const TEMPLATE = [
  "{% for message in messages %}{% if message.role == 'critic' %}{{ raise_exception('no critics here') }}{% endif %}",
  '{{ bos_token }}{{ message.role }}:{{ message.content }}\n{% endfor %}{% if mood %}({{ mood }}){% endif %}',
  '{% if add_generation_prompt %}assistant:{% endif %}',
].join('');

/** A chat model's folder without its graph. */
export interface ChatFolder extends AsyncDisposable {
  source(own?: Partial<TaskSource>): TaskSource;
  /** Its files but for one. */
  without(role: string): Record<string, string>;
}

export async function makeChatFolder(): Promise<ChatFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'carpool-chat-'));
  const contents = {
    tokenizer: ['tokenizer.json', BYTE_TOKENIZER],
    tokenizerConfig: ['tokenizer_config.json', { eos_token: '<end>', bos_token: '<begin>', chat_template: TEMPLATE }],
    config: [
      'config.json',
      { max_position_embeddings: 100, num_attention_heads: 4, hidden_size: 32, sliding_window: null },
    ],
    generationConfig: [
      'generation_config.json',
      { eos_token_id: [256, 3], do_sample: true, temperature: 0.6, top_p: 0.9 },
    ],
  } as const;
  const files: Record<string, string> = {};
  for (const [role, [name, value]] of Object.entries(contents)) {
    files[role] = join(folder, name);
    await writeFile(join(folder, name), JSON.stringify(value));
  }
  return {
    source: (own = {}) => ({
      ...{ key: 'k', model: 'm', task: 'chat', folder, weights: join(folder, 'model.onnx'), files, options: {} },
      signature: { inputs: [], outputs: [], batchable: true },
      ...own,
    }),
    without: (role) => Object.fromEntries(Object.entries(files).filter(([name]) => name !== role)),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

export function item(value: unknown, parameters?: Readonly<Record<string, unknown>>): Item {
  return { kind: 'json', value, ...(parameters === undefined ? {} : { parameters }) };
}

export const HELLO = { messages: [{ role: 'user', content: 'Hi' }] };

/** The text of a prompt's bytes. */
export function textOf({ inputs }: Prepared | Work): string {
  const prompt = inputs['prompt'];
  assert.ok(prompt?.datatype === 'INT32');
  const ids = Array.from(typedView(prompt), Number);
  return ids.map((id) => (id === 257 ? '<begin>' : id === 256 ? '<end>' : String.fromCharCode(id))).join('');
}
