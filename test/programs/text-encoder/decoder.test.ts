import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { openBench, writeFiles, json } from '../../tasks/text/encoder-bench.ts';
import { BYTE_TOKENIZER } from '../../tasks/chat/support.ts';
import { near, type Embedding } from '../../tasks/text/vectors.ts';
import { tinyDecoder, VOCABULARY, WIDTH, type TinyDecoder } from '../generation/tiny-decoder.ts';

/** A decoder that embeds, like Qwen3-Embedding: hidden states out, a cache in, the last token's vector counts. */

/** Words of one letter, and `.` behind every text. */
const LETTERS = Array.from({ length: VOCABULARY - 1 }, (_, id) => String.fromCharCode(97 + id));
const END = VOCABULARY - 1;
const TOKENIZER = {
  ...BYTE_TOKENIZER,
  model: {
    type: 'WordLevel',
    vocab: Object.fromEntries([...LETTERS, '.'].map((word, id) => [word, id])),
    unk_token: 'a',
  },
  pre_tokenizer: { type: 'WhitespaceSplit' },
  decoder: null,
  added_tokens: [],
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '.', type_id: 0 } }],
    pair: [],
    special_tokens: { '.': { id: '.', ids: [END], tokens: ['.'] } },
  },
};
const MODULES = ['Transformer', 'Pooling', 'Normalize'].map((type, idx) => ({ idx, path: '', type: `st.${type}` }));

async function open(
  t: TestContext,
  kind: TinyDecoder,
  own: { padding?: 'left' | 'right'; more?: object; options?: object } = {},
) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-decoder-'));
  t.after(() => rm(folder, { recursive: true }));
  const weights = path.join(folder, 'model.onnx');
  await writeFile(weights, tinyDecoder({ hidden: true, ...kind }));
  const { files } = await writeFiles(t, {
    tokenizer: { name: 'tokenizer.json', content: TOKENIZER },
    config: { name: 'config.json', content: { architectures: ['Qwen3ForCausalLM'], max_position_embeddings: 64 } },
    ...(own.more ?? {
      pooling: { name: 'pooling.json', content: { pooling_mode_lasttoken: true } },
      modules: { name: 'modules.json', content: MODULES },
    }),
  });
  const options = { paddingSide: own.padding ?? 'right', ...own.options };
  const bench = await openBench(t, { task: 'embeddings', folder, files, weights, options });
  return { bench, session: await InferenceSession.create(weights) };
}

/** A plain loop: one text, an empty cache, the last position's hidden state at length 1. */
async function reference(session: InferenceSession, text: string): Promise<number[]> {
  const ids = [...text.split(' ').map((word) => LETTERS.indexOf(word)), END];
  const integers = (values: readonly number[]) =>
    new OrtTensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
  const nothing = new OrtTensor('float32', new Float32Array(0), [1, 2, 0, 8]);
  const feeds = {
    input_ids: integers(ids),
    attention_mask: integers(ids.map(() => 1)),
    position_ids: integers(ids.map((_, place) => place)),
    'past_key_values.0.key': nothing,
    'past_key_values.0.value': nothing,
  };
  const all = (await session.run(feeds))['last_hidden_state']?.data as Float32Array;
  const last = Array.from(all.subarray(all.length - WIDTH));
  const size = Math.sqrt(last.reduce((sum, value) => sum + value * value, 0));
  return last.map((value) => value / size);
}

const TEXTS = ['a', 'b c d e', 'f g', 'a b c d e f g h i j k l m n o p q r', 'c c c', 'r q p'];

for (const padding of ['right', 'left'] as const)
  test(`a decoder gives each text the last token's vector, with an empty cache, padded on the ${padding}`, async (t) => {
    const { bench, session } = await open(t, {}, { padding });
    const together = (await bench.answers(TEXTS.map((text) => json(text)))) as Embedding[];
    for (const [index, text] of TEXTS.entries()) {
      near(together[index]?.embedding ?? [], await reference(session, text), 1e-5);
      near(((await bench.answer(json(text))) as Embedding).embedding, together[index]?.embedding ?? [], 1e-5);
    }
  });

test('so does one with GroupQueryAttention', async (t) => {
  const { session } = await open(t, {});
  const { bench } = await open(t, { grouped: true });
  await assert.rejects(open(t, { grouped: true }, { padding: 'left' }), /takes no padding on the left/);
  const together = (await bench.answers(TEXTS.map((text) => json(text)))) as Embedding[];
  for (const [index, text] of TEXTS.entries())
    near(together[index]?.embedding ?? [], await reference(session, text), 1e-5);
});

test('a decoder whose files name no pooling needs one in model.json', async (t) => {
  await assert.rejects(open(t, {}, { more: {} }), /set options\.pooling in model\.json/);
  await assert.doesNotReject(open(t, {}, { more: {}, options: { pooling: 'last' } }));
});

test('a decoder that gives logits alone is no embedding model', async (t) => {
  await assert.rejects(open(t, { hidden: false }), /no output holds a vector a token; the graph has logits/);
});
