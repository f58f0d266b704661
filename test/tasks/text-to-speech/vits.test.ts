import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { InferenceSession } from 'onnxruntime-node';
import { typedView, type FixedTensor, type Signature } from '../../../src/tensors/tensor.ts';
import { createTask } from '../../../src/tasks/registry.ts';
import { readVitsTokenizer } from '../../../src/tasks/text-to-speech/vits.ts';
import { json, pathOf, refusal, run, sourceFor, spec } from '../support.ts';

const FOLDER = pathOf('test/tasks/text-to-speech/vits');
interface Case {
  readonly text: string;
  readonly ids: readonly number[];
  readonly samples: number;
  /** Every 16th sample. */
  readonly waveform: readonly number[];
}
const CASES = JSON.parse(await readFile(`${FOLDER}/reference.json`, 'utf8')) as Case[];
const SIGNATURE: Signature = {
  inputs: [spec('input_ids', 'INT64', [-1, -1], null), spec('attention_mask', 'INT64', [-1, -1], null)],
  outputs: [spec('waveform', 'FP32', [-1, -1], null), spec('spectrogram', 'FP32', [-1, 16, -1], null)],
  batchable: false,
};
const FILES = {
  config: `${FOLDER}/config.json`,
  vocabulary: `${FOLDER}/vocab.json`,
  tokenizerConfig: `${FOLDER}/tokenizer_config.json`,
};
const source = (more = {}) => sourceFor('text-to-speech', SIGNATURE, { files: FILES, ...more });

test('the ids of a text are those of transformers', async () => {
  const tokenizer = await readVitsTokenizer({ files: FILES });
  for (const { text, ids } of CASES) assert.deepEqual(tokenizer.idsOf(tokenizer.normalise(text)), ids, text);
});

test('the waveform of a text is that of transformers', async () => {
  const task = await createTask(source());
  const session = await InferenceSession.create(`${FOLDER}/onnx/model.onnx`);
  const prepared = await task.prepare(json(CASES[0]?.text));
  const { waveform } = await run(session, prepared);
  const samples = typedView(waveform as FixedTensor) as Float32Array;
  assert.equal(samples.length, CASES[0]?.samples);
  const off = (CASES[0]?.waveform ?? []).map((value, index) => Math.abs(value - (samples[index * 16] as number)));
  assert.ok(Math.max(...off) < 1e-4, `off by ${Math.max(...off)}`);
  await session.release();
});

test('text that must be romanised first is refused, Latin letters are not', async (t) => {
  const tokenizer = await readVitsTokenizer({ files: await withSettings(t, { is_uroman: true, phonemize: false }) });
  assert.equal(tokenizer.normalise('Annyeong!'), 'annyeong');
  assert.throws(() => tokenizer.normalise('안녕'), refusal('INVALID_INPUT', /is_uroman.*romanise/));
});

test('blanks, letters and case are as the tokenizer says', async (t) => {
  const plain = await readVitsTokenizer({ files: await withSettings(t, { phonemize: false, add_blank: false }) });
  assert.deepEqual(plain.idsOf('ab'), [4, 5]);
  const cased = await readVitsTokenizer({ files: await withSettings(t, { phonemize: false, normalize: false }) });
  // Unknown letters stand for themselves as the token of what is not known.
  assert.deepEqual(cased.idsOf(cased.normalise('aB')), [0, 4, 0, 30, 0]);
});

test('a tokenizer.json of transformers.js has the vocabulary, too; a folder without either is refused', async (t) => {
  const folder = await temporary(t);
  const model = { vocab: JSON.parse(await readFile(FILES.vocabulary, 'utf8')) as unknown };
  await writeFile(path.join(folder, 'tokenizer.json'), JSON.stringify({ model }));
  const { tokenizerConfig } = FILES;
  const tokenizer = await readVitsTokenizer({
    files: { tokenizer: path.join(folder, 'tokenizer.json'), tokenizerConfig },
  });
  assert.deepEqual(tokenizer.idsOf('a'), [0, 4, 0]);
  await assert.rejects(readVitsTokenizer({ files: { tokenizerConfig } }), /vocab\.json or a tokenizer\.json/);
});

test('options and graphs that do not fit are refused when the model loads', async () => {
  const create = (options: object, signature = SIGNATURE) => createTask({ ...source({ options }), signature });
  await assert.rejects(create({ noiseScale: 0 }), /noise of this model is fixed/);
  await assert.rejects(create({ voice: 'anna' }), /options\.voice: there is no voice "anna"/);
  await assert.rejects(create({ voices: { a: 'b' } }), /options\.voices\.a: there is no voice "b"/);
  await assert.rejects(create({ speakers: 2 }), /Unrecognized key/);
  const [ids] = SIGNATURE.inputs;
  assert.ok(ids !== undefined);
  await assert.rejects(create({}, { ...SIGNATURE, inputs: [] }), /needs a graph with the input input_ids/);
  const odd = spec('style', 'FP32', [1], null);
  await assert.rejects(create({}, { ...SIGNATURE, inputs: [ids, odd] }), /takes style/);
  await assert.rejects(create({}, { ...SIGNATURE, outputs: [] }), /needs a graph with the output waveform/);
});

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-voice-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

async function withSettings(t: TestContext, settings: object): Promise<Readonly<Record<string, string>>> {
  const folder = await temporary(t);
  const file = path.join(folder, 'tokenizer_config.json');
  await writeFile(file, JSON.stringify({ unk_token: '<unk>', ...settings }));
  return { ...FILES, tokenizerConfig: file };
}
