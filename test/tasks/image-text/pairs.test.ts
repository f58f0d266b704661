import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { KnownTexts } from '../../../src/tasks/image-text/known-texts.ts';
import { ask, startTestServer, type TestServer } from '../../http/in-process.ts';
import { REFERENCE, relativeError } from '../image/reference.ts';

/** CLIP and SigLIP by a server, compared with transformers. */

interface Score {
  readonly label: string;
  readonly score: number;
}
interface Expected {
  readonly scores: readonly Score[];
  readonly image: readonly number[];
  readonly texts: readonly (readonly number[])[];
}

const MODELS = ['clip', 'clip_split', 'siglip'];
const LABELS = ['a yellow disc', 'a blue box', 'two cats on a sofa', 'night'];

let server: TestServer;
let image: Buffer;
before(async () => {
  image = await readFile(`${REFERENCE}/picture.png`);
  server = await startTestServer({ MODELS_DIR: REFERENCE, MODELS: MODELS.join(','), DEFAULT_MODEL: '' });
});
after(() => server[Symbol.asyncDispose]());

async function post(path: string, body: unknown): Promise<unknown> {
  const answer = await ask(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.json));
  return answer.json;
}

const expected = async (model: string): Promise<Expected> =>
  JSON.parse(await readFile(`${REFERENCE}/${model}/expected.json`, 'utf8')) as Expected;

test('labels are scored as by transformers, also when their vectors are known already', async (t) => {
  const inputs = image.toString('base64');
  for (const model of MODELS)
    for (const turn of [1, 2]) {
      const { scores } = await expected(model);
      const body = { inputs: { image: inputs }, parameters: { candidate_labels: LABELS } };
      const found = (await post(`/models/${model}`, body)) as Score[];
      assert.deepEqual(
        found.map(({ score }) => score),
        found.map(({ score }) => score).toSorted((one, other) => other - one),
      );
      const errors = scores.map(({ label, score }) =>
        Math.abs(score - (found.find((one) => one.label === label)?.score ?? NaN)),
      );
      t.diagnostic(`${model}, turn ${turn}: error of scores ${Math.max(...errors).toExponential(1)}`);
      assert.ok(Math.max(...errors) < 0.01, `${model}: ${JSON.stringify(found)}`);
    }
});

test('images and texts have vectors in one space, by each API', async (t) => {
  for (const model of MODELS) {
    const wanted = await expected(model);
    const input = [{ image: `data:image/png;base64,${image.toString('base64')}` }, 'This is a photo of night.'];
    const { data } = (await post('/v1/embeddings', { model, input })) as { data: { embedding: number[] }[] };
    const { result } = (await post(`/predict/${model}`, { data: { text: 'This is a photo of night.' } })) as {
      result: { embedding: number[]; tokens: number };
    };
    assert.deepEqual(data[1]?.embedding, result.embedding);
    assert.ok(result.tokens > 2);
    const unit = (vector: readonly number[]): number[] => vector.map((value) => value / Math.hypot(...vector));
    const errors = [
      relativeError(data[0]?.embedding ?? [], unit(wanted.image)),
      relativeError(result.embedding, unit(wanted.texts[3] ?? [])),
    ];
    t.diagnostic(
      `${model}: relative error of the image ${errors[0]?.toExponential(1)}, of the text ${errors[1]?.toExponential(1)}`,
    );
    assert.ok((errors[0] ?? 1) < 0.02 && (errors[1] ?? 1) < 1e-4, `${model}: ${errors.join(', ')}`);
  }
});

test('what fits neither an image nor labels is refused by name', async () => {
  const cases: [unknown, number, RegExp][] = [
    [{ data: 'text', parameters: { candidate_labels: ['a'] } }, 422, /image/],
    [{ data: [1, 2] }, 422, /image or a text/],
    [{ data: 'x', parameters: { candidate_labels: [] } }, 422, /candidate_labels.*1 to 500/],
    [{ data: 'x', parameters: { candidate_labels: ['a', 'a'] } }, 422, /different/],
    [
      { data: 'x', parameters: { candidate_labels: ['a'], hypothesis_template: 'b' } },
      422,
      /hypothesis_template.*\{\}/,
    ],
    [{ data: { image: 'iVBORw0KGgo=' } }, 422, /damaged|PNG/],
  ];
  for (const [body, status, message] of cases) {
    const answer = await ask(`${server.url}/predict/clip`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    assert.equal(answer.status, status, JSON.stringify(answer.json));
    assert.match((answer.json as { error: string }).error, message);
  }
});

test('a broken image and a label that is too long are one refusal, and the server goes on', async () => {
  const broken = Buffer.from('iVBORw0KGgo=', 'base64').toString('base64');
  for (let turn = 0; turn < 3; turn += 1) {
    const answer = await ask(`${server.url}/predict/clip`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        data: { image: broken },
        parameters: { candidate_labels: ['a', 'b'.repeat(20_000)] },
      }),
    });
    assert.ok(answer.status === 413 || answer.status === 422, String(answer.status));
  }
  assert.equal((await ask(`${server.url}/ready`)).status, 200);
});

test('of more texts than are kept, those used last stay', () => {
  const known = new KnownTexts();
  const vector = Float32Array.of(1);
  for (let at = 0; at < 1024; at += 1) known.set(String(at), vector);
  assert.equal(known.get('0'), vector);
  known.set('more', vector);
  assert.equal(known.get('1'), undefined);
  assert.equal(known.get('0'), vector);
});
