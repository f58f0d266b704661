import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { sharedModel } from '../shared-models.ts';
import { cosine, near, type Embedding } from '../tasks/text/vectors.ts';
import { post, startTestServer } from './in-process.ts';

/** A folder as it comes from the hub, with no model.json, served over HTTP. */

interface Reference {
  readonly items: readonly {
    readonly text: string;
    readonly input_ids: readonly number[];
    readonly embedding: number[];
  }[];
}

const folder = sharedModel('sentence-embedding');

test(
  'a hub folder of a sentence model is served: alone, in a crowd of all lengths, many items at once, and as tensors',
  { skip: folder === undefined ? 'the shared models are not here' : false },
  async (t) => {
    assert.ok(folder !== undefined);
    const models = await mkdtemp(path.join(os.tmpdir(), 'carpool-embeddings-'));
    t.after(() => rm(models, { recursive: true, force: true }));
    await cp(folder, path.join(models, 'sentences'), { recursive: true });
    const { items } = JSON.parse(await readFile(path.join(folder, 'reference.json'), 'utf8')) as Reference;
    await using server = await startTestServer({ MODELS_DIR: models });
    const predict = `${server.url}/predict/sentences`;
    const embed = async (text: string): Promise<readonly number[]> => {
      const { status, json } = await post(predict, JSON.stringify({ data: text }));
      assert.equal(status, 200);
      return (json as { result: Embedding }).result.embedding;
    };

    const alone: (readonly number[])[] = [];
    for (const { text, embedding } of items) {
      const own = await embed(text);
      assert.ok(cosine(own, embedding) > 0.9999);
      alone.push(own);
    }
    const crowd = await Promise.all([...items, ...items].map(({ text }) => embed(text)));
    for (const [index, own] of crowd.entries()) near(own, alone[index % items.length] ?? [], 2e-5);

    const all = await post(predict, JSON.stringify({ items: items.map(({ text }) => text) }));
    const { results } = all.json as { results: { result: Embedding }[] };
    assert.equal(results.length, items.length);
    for (const [index, { result }] of results.entries()) {
      near(result.embedding, alone[index] ?? [], 2e-5);
      assert.equal(result.tokens, items[index]?.input_ids.length);
    }

    const tensor = (name: string, data: number[]) => ({ name, datatype: 'INT64', shape: [1, 9], data });
    const ids = [...(items[0]?.input_ids ?? [])];
    const inputs = [
      tensor('input_ids', ids),
      tensor(
        'attention_mask',
        ids.map(() => 1),
      ),
      tensor(
        'token_type_ids',
        ids.map(() => 0),
      ),
    ];
    const raw = await post(`${server.url}/v2/models/sentences/infer`, JSON.stringify({ inputs }));
    assert.equal(raw.status, 200);
    const { outputs } = raw.json as { outputs: { name: string; shape: number[] }[] };
    assert.deepEqual(
      outputs.map(({ name, shape }) => [name, shape]),
      [['last_hidden_state', [1, 9, 384]]],
    );
  },
);
