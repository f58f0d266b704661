import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createTask } from '../../../src/tasks/registry.ts';
import type { TextToTextParameters } from '../../../src/tasks/text-to-text/work.ts';
import type { Prepared, Task, TaskSource } from '../../../src/tasks/task.ts';
import { typedView } from '../../../src/tensors/tensor.ts';
import { chooseTextToTextProgram } from '../../../src/tasks/text-to-text/model-files.ts';
import { referenceSource } from './support.ts';

/** What a text becomes: the ids that the encoder reads, and what is asked of the decoder. */
async function prepared(
  task: Task,
  value: unknown,
  parameters: Readonly<Record<string, unknown>> = {},
): Promise<{ ids: number[]; asked: TextToTextParameters; cost: number }> {
  const { inputs, parameters: asked, cost }: Prepared = await task.prepare({ kind: 'json', value, parameters });
  const source = inputs['source'];
  if (source === undefined || source.datatype === 'BYTES') return assert.fail('there is no source');
  return { ids: Array.from(typedView(source), Number), asked: asked as TextToTextParameters, cost };
}

test('a task of T5 puts its prefix before a text, and has its own settings', async () => {
  const plain = await createTask(referenceSource('t5', 'text2text-generation'));
  const summary = await createTask(referenceSource('t5', 'summarization'));
  const translation = await createTask(referenceSource('t5', 'translation'));
  const shortened = await prepared(summary, 'dogs');
  assert.deepEqual(shortened.ids, (await prepared(plain, 'summarize: dogs')).ids);
  assert.deepEqual(
    [shortened.asked.maxTokens, shortened.asked.search?.beams, shortened.asked.rules.minTokens],
    [19, 4, 3],
  );
  assert.equal(shortened.cost, (shortened.ids.length + 19) * 4);
  const pair = { src_lang: 'en', tgt_lang: 'fr' };
  const translated = await prepared(translation, 'dogs', pair);
  assert.deepEqual(translated.ids, (await prepared(plain, 'translate English to French: dogs')).ids);
  assert.deepEqual([translated.asked.maxTokens, translated.asked.search?.earlyStopping], [29, true]);
  await assert.rejects(() => prepared(translation, 'dogs', { ...pair, tgt_lang: 'de' }), /prefixes for en_to_fr/);
});

test('what a request says goes before what the model says', async () => {
  const task = await createTask(referenceSource('bart', 'summarization', { numBeams: 3, maxTokens: 20 }));
  const usual = (await prepared(task, 'dogs')).asked;
  assert.deepEqual([usual.search?.beams, usual.maxTokens, usual.rules.noRepeatNgram], [3, 20, 3]);
  assert.deepEqual([usual.rules.forcedFirst, usual.rules.forcedLast], [0, [2]]);
  const greedy = (await prepared(task, { prompt: 'dogs' }, { num_beams: 1, max_tokens: 3, no_repeat_ngram_size: 0 }))
    .asked;
  assert.deepEqual([greedy.search, greedy.maxTokens, greedy.rules.minTokens], [undefined, 3, 3]);
  assert.equal(greedy.rules.noRepeatNgram, 0);
  const drawn = (await prepared(task, 'dogs', { do_sample: true, seed: 4 })).asked;
  assert.deepEqual([drawn.search, drawn.sampling.temperature, drawn.sampling.topK], [undefined, 1, 50]);
});

/** A copy of a reference model that a test may change; goes with the test. */
async function copied(model: string, t: { after: (end: () => Promise<void>) => void }): Promise<TaskSource> {
  const source = referenceSource(model, 'translation');
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-texts-'));
  t.after(() => rm(folder, { recursive: true }));
  await cp(source.folder, folder, { recursive: true });
  const moved = (file: string): string => path.join(folder, path.relative(source.folder, file));
  const files = Object.fromEntries(Object.entries(source.files).map(([role, file]) => [role, moved(file)]));
  return { ...source, folder, files, weights: moved(source.weights) };
}

test('a folder without a tokenizer.json is refused with the cure', async (t) => {
  const { files, ...source } = await copied('marian', t);
  await writeFile(path.join(source.folder, 'source.spm'), 'x');
  const others = Object.fromEntries(Object.entries(files).filter(([role]) => role !== 'tokenizer'));
  await assert.rejects(
    () => createTask({ ...source, files: others }),
    /no tokenizer\.json.*only source\.spm.*transformers\.js/,
  );
});

test('a way of writing that is not made here is refused by name', async (t) => {
  const source = await copied('marian', t);
  const file = source.files['generationConfig'] ?? '';
  const config = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...config, num_beam_groups: 2 }));
  await assert.rejects(() => createTask(source), /generation_config\.json: num_beam_groups is not supported/);
});

test('a config that asks for more beams than are searched is told at load, unless the folder says otherwise', async (t) => {
  const source = await copied('marian', t);
  assert.equal((await chooseTextToTextProgram(source)).notes, undefined);
  const file = source.files['generationConfig'] ?? '';
  const config = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...config, num_beams: 32 }));
  const { notes } = await chooseTextToTextProgram(source);
  assert.deepEqual(notes, ['num_beams of the generation config is 32: 16 are searched, the most that there are here']);
  assert.equal((await chooseTextToTextProgram({ ...source, options: { numBeams: 4 } })).notes, undefined);
});
