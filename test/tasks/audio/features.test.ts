import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { readFeatures } from '../../../src/tasks/audio/features.ts';

async function open(t: TestContext, preprocessor: object, config: object = {}) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-features-'));
  t.after(() => rm(folder, { recursive: true }));
  const files = {
    preprocessorConfig: path.join(folder, 'preprocessor_config.json'),
    config: path.join(folder, 'config.json'),
  };
  await writeFile(files.preprocessorConfig, JSON.stringify(preprocessor));
  await writeFile(files.config, JSON.stringify(config));
  return readFeatures({ files, task: 'audio-classification' });
}

test('a preprocessor without a type is that of its model', async (t) => {
  const samples = new Float32Array(1000);
  const shapeOf = async (config: object) => (await open(t, {}, config)).read(samples).shape;
  assert.deepEqual(await shapeOf({ model_type: 'wav2vec2' }), [1000]);
  assert.deepEqual(await shapeOf({ model_type: 'audio-spectrogram-transformer' }), [1024, 128]);
  assert.deepEqual(await shapeOf({ model_type: 'whisper' }), [80, 3000]);
});

test('samples are scaled only where that is said, and what is not served is refused by name', async (t) => {
  const plain = await open(t, { feature_extractor_type: 'Wav2Vec2FeatureExtractor', do_normalize: false });
  assert.deepEqual([...plain.read(Float32Array.of(0.5, -0.25)).values], [0.5, -0.25]);
  const scaled = await open(t, { feature_extractor_type: 'Wav2Vec2FeatureExtractor' });
  assert.deepEqual([...scaled.read(Float32Array.of(0.5, -0.5)).values].map(Math.round), [1, -1]);
  for (const [preprocessor, why] of [
    [{ feature_extractor_type: 'SeamlessM4TFeatureExtractor' }, /"SeamlessM4TFeatureExtractor" is not served/],
    [{ feature_extractor_type: 'Wav2Vec2FeatureExtractor', sampling_rate: 8000 }, /sampling_rate/],
    [{ feature_extractor_type: 'ASTFeatureExtractor', std: 0 }, /std/],
  ] as const)
    await assert.rejects(open(t, preprocessor), why);
  await assert.rejects(readFeatures({ files: {}, task: 'audio-classification' }), /needs a preprocessor_config.json/);
});
