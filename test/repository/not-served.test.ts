import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRig, makeFolder, servedIds } from './fixtures.ts';
import { readHub } from './hub-folder.ts';

/** Kinds of models that no task serves, by their class, with the word that says so. */
const KINDS: readonly (readonly [string, RegExp])[] = [
  ['Mask2FormerForUniversalSegmentation', /instance and panoptic segmentation/],
  ['DetrForSegmentation', /panoptic segmentation/],
  ['SamModel', /masks by points \(SAM\)/],
  ['OwlViTForObjectDetection', /detection by texts/],
  ['GroundingDinoForZeroShotObjectDetection', /detection by texts/],
  ['SuperPointForKeypointDetection', /key points/],
  ['ZoeDepthForDepthEstimation', /depth of this kind/],
  ['VitMatteForImageMatting', /trimaps/],
  ['VisionEncoderDecoderModel', /texts from images/],
  ['BlipForConditionalGeneration', /texts from images/],
  ['GitForCausalLM', /texts from images/],
  ['Qwen2VLForConditionalGeneration', /texts from images/],
  ['ViltForQuestionAnswering', /questions about images/],
  ['LayoutLMv3ForQuestionAnswering', /layout of documents/],
  ['VideoMAEForVideoClassification', /video/],
  ['VivitModel', /video/],
  ['TimeSeriesTransformerForPrediction', /time series/],
  ['PatchTSTForPrediction', /time series/],
  ['TapasForQuestionAnswering', /questions about tables/],
  ['BertForMultipleChoice', /choices between texts/],
  ['Wav2Vec2ForAudioFrameClassification', /who speaks when/],
  ['Wav2Vec2BertForCTC', /CTC head of this kind/],
  ['ClapAudioModelWithProjection', /half a pair of sounds and texts/],
  ['Speech2TextForConditionalGeneration', /speech to text of this kind/],
  ['EncodecModel', /sound from sound/],
  ['DecisionTransformerModel', /of this kind/],
  ['SomethingNobodyKnows', /no task knows the architecture SomethingNobodyKnows/],
];

test('a kind that is not served is named, and its graph is served as tensors', async (t) => {
  const files = { 'tokenizer.json': {}, 'preprocessor_config.json': {}, 'vocab.json': {}, 'onnx/model.onnx': 'x' };
  for (const [architecture, why] of KINDS) {
    const read = await readHub(t, { 'config.json': { architectures: [architecture] }, ...files });
    assert.equal(read.task, 'tensors', architecture);
    assert.match(read.whyTensors ?? '', why);
    assert.ok(read.whyTensors?.includes(architecture));
  }
});

test('each is told of alone, and the others are served', async (t) => {
  const files: Record<string, unknown> = {
    'plain/config.json': { architectures: ['BertForTokenClassification'] },
    'plain/tokenizer.json': {},
    'plain/onnx/model.onnx': 'x',
  };
  for (const [index, [architecture]] of KINDS.slice(0, 5).entries()) {
    files[`kind-${index}/config.json`] = { architectures: [architecture] };
    files[`kind-${index}/onnx/model.onnx`] = 'x';
  }
  const modelsDir = await makeFolder(t, files);
  const rig = createRig(t, modelsDir);
  await rig.repository.start();
  const told = rig.events.filter((event) => event.kind === 'served_as_tensors');
  assert.deepEqual(told.map(({ name }) => name).sort(), ['kind-0', 'kind-1', 'kind-2', 'kind-3', 'kind-4']);
  assert.equal(servedIds(rig).length, 6);
});
