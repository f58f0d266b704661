import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { parseReference } from '../../src/config/hub-reference.ts';
import { pullOrExport } from '../../src/hub/exports.ts';
import { FakeHub, type HubSetUp } from './hub-server.ts';
import { BERT_FILES, bytesOf, makeModelsDir } from './support.ts';

const ORIGINAL = {
  'config.json': BERT_FILES['config.json'],
  'tokenizer.json': BERT_FILES['tokenizer.json'],
  'modules.json': '[]',
  '1_Pooling/config.json': '{"pooling_mode_cls_token":true}',
  'model.safetensors': 'weights',
};
const EXPORT = {
  'config.json': BERT_FILES['config.json'],
  'tokenizer.json': BERT_FILES['tokenizer.json'],
  'onnx/model.onnx': bytesOf(3000),
};

async function rig(t: TestContext, { besides, files }: { besides?: HubSetUp; files: HubSetUp['files'] }) {
  const other = besides === undefined ? {} : { besides: await FakeHub.start(t, besides) };
  const hub = await FakeHub.start(t, { repository: 'acme/tiny', files, ...other });
  const modelsDir = await makeModelsDir(t);
  const taken: string[] = [];
  const silent = { start: () => undefined, add: () => undefined, stop: () => undefined };
  const pull = () =>
    pullOrExport(
      parseReference('hf:acme/tiny'),
      {
        modelsDir,
        endpoint: hub.endpoint,
        token: '',
        defaultDtype: 'auto',
        refresh: false,
        progress: silent,
        onNote: () => undefined,
        tuning: { firstDelayMs: 1, attempts: 2 },
      },
      (repository) => taken.push(repository),
    );
  return { hub, pull, taken, read: (name: string) => readFile(path.join(modelsDir, 'tiny', name), 'utf8') };
}

for (const repository of ['onnx-community/tiny-ONNX', 'Xenova/tiny'])
  test(`a model without an ONNX file comes from ${repository}, with its own files for sentences`, async (t) => {
    const { hub, pull, taken, read } = await rig(t, { files: ORIGINAL, besides: { repository, files: EXPORT } });
    const { isNew } = await pull();
    assert.deepEqual([isNew, taken], [true, [repository]]);
    assert.equal(await read('1_Pooling/config.json'), ORIGINAL['1_Pooling/config.json']);
    assert.equal(await read('modules.json'), '[]');
    await assert.rejects(read('model.safetensors'));
    const asked = hub.seen.length;
    assert.deepEqual([(await pull()).isNew, hub.seen.length], [false, asked]);
  });

test('a model with an ONNX file is taken itself, one without any export is refused by its own error', async (t) => {
  const own = await rig(t, { files: { ...EXPORT, ...ORIGINAL } });
  await own.pull();
  assert.deepEqual(own.taken, []);
  const none = await rig(t, { files: ORIGINAL });
  await assert.rejects(
    none.pull(),
    /acme\/tiny: .*no ONNX file, only model\.safetensors.*onnx-community\/tiny-ONNX and Xenova\/tiny/,
  );
});
