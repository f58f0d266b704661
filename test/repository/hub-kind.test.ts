import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onnxModel } from '../../tools/onnx-writer.ts';
import { node, value } from '../onnx/models.ts';
import { createRig, makeFolder, type Files } from './fixtures.ts';
import { modules, readHub } from './hub-folder.ts';

const BERT = { architectures: ['BertModel'], model_type: 'bert' };

test('the class name in config.json decides the task', async (t) => {
  const cases: [string, object, Files, string][] = [
    ['a text encoder', BERT, { 'tokenizer.json': {} }, 'embeddings'],
    ['a masked language model', { architectures: ['BertForMaskedLM'] }, { 'tokenizer.json': {} }, 'embeddings'],
    [
      'a sentence transformer',
      { architectures: ['Odd'] },
      { 'tokenizer.json': {}, 'modules.json': modules('Transformer', 'Pooling') },
      'embeddings',
    ],
    [
      'a sentence transformer over a decoder',
      { architectures: ['Qwen3ForCausalLM'] },
      { 'tokenizer.json': {}, 'modules.json': modules('Transformer', 'Pooling', 'Normalize') },
      'embeddings',
    ],
    [
      'a sparse encoder',
      { architectures: ['BertForMaskedLM'] },
      { 'tokenizer.json': {}, 'modules.json': modules('MLMTransformer', 'SpladePooling') },
      'embeddings',
    ],
    ['a decoder without its head', { architectures: ['MistralModel'] }, { 'tokenizer.json': {} }, 'embeddings'],
    ['speech out of text', { architectures: ['VitsModel'] }, { 'vocab.json': {} }, 'text-to-speech'],
    ['the same for transformers.js', { model_type: 'vits' }, { 'tokenizer.json': {} }, 'text-to-speech'],
    ['the same without letters', { architectures: ['VitsModel'] }, {}, 'tensors'],
    ["a voice of Piper in the hub's layout", { audio: { sample_rate: 8 }, phoneme_id_map: {} }, {}, 'text-to-speech'],
    ['a class nobody knows', { architectures: ['OddModel'] }, { 'tokenizer.json': {} }, 'tensors'],
    [
      'a classifier of sound',
      { architectures: ['Wav2Vec2ForSequenceClassification'] },
      { 'preprocessor_config.json': {} },
      'audio-classification',
    ],
    ['the same without a preprocessor', { architectures: ['Wav2Vec2ForSequenceClassification'] }, {}, 'tensors'],
    [
      'an encoder of sound',
      { architectures: ['HubertModel'] },
      { 'preprocessor_config.json': {} },
      'audio-feature-extraction',
    ],
    ['letters of sound', { architectures: ['Wav2Vec2ForCTC'] }, { 'vocab.json': {} }, 'transcription'],
    ['letters of sound without a vocabulary', { architectures: ['HubertForCTC'] }, {}, 'tensors'],
    [
      'a regression head',
      { architectures: ['BertForSequenceClassification'], num_labels: 1, problem_type: 'regression' },
      {},
      'text-classification',
    ],
    [
      'a cross-encoder trained by regression',
      {
        architectures: ['BertForSequenceClassification'],
        id2label: { 0: 'LABEL_0' },
        problem_type: 'regression',
        sentence_transformers: { activation_fn: 'torch.nn.modules.linear.Identity' },
      },
      {},
      'reranking',
    ],
    ['an encoder without tokenizer', { architectures: ['BertModel'] }, {}, 'tensors'],
    [
      'an encoder of images',
      { architectures: ['ViTModel'] },
      { 'preprocessor_config.json': {} },
      'image-feature-extraction',
    ],
    ['an encoder of images without preprocessor', { architectures: ['ViTModel'] }, {}, 'tensors'],
    [
      'an encoder of texts and images',
      { architectures: ['CLIPModel'] },
      { 'tokenizer.json': {}, 'preprocessor_config.json': {} },
      'zero-shot-image-classification',
    ],
    ['the same without a tokenizer', { architectures: ['CLIPModel'] }, { 'preprocessor_config.json': {} }, 'tensors'],
    ['a detector', { architectures: ['DetrForObjectDetection'] }, {}, 'object-detection'],
    ['a detector by texts', { architectures: ['OwlViTForObjectDetection'] }, { 'tokenizer.json': {} }, 'tensors'],
    ['masks by points', { architectures: ['SamModel'] }, { 'preprocessor_config.json': {} }, 'tensors'],
    [
      'an encoder with a decoder',
      { architectures: ['T5Model'], is_encoder_decoder: true },
      { 'tokenizer.json': {} },
      'tensors',
    ],
    ['a classifier', { architectures: ['BertForSequenceClassification'] }, {}, 'text-classification'],
    [
      'a classifier of one label',
      { architectures: ['XLMRobertaForSequenceClassification'], id2label: { 0: 'LABEL_0' } },
      {},
      'reranking',
    ],
    ['one label by number', { architectures: ['BertForSequenceClassification'], num_labels: 1 }, {}, 'reranking'],
    ['a causal model', { architectures: ['LlamaForCausalLM'] }, {}, 'chat'],
    ['an old causal model', { architectures: ['GPT2LMHeadModel'] }, { 'tokenizer.json': {} }, 'chat'],
    ['an image classifier', { architectures: ['ViTForImageClassification'] }, {}, 'image-classification'],
    ['nothing known', { architectures: ['SamModel'] }, {}, 'tensors'],
    ['no class name at all', { architectures: 'BertModel' }, { 'tokenizer.json': {} }, 'tensors'],
  ];
  for (const [what, config, more, task] of cases) {
    const read = await readHub(t, { 'config.json': config, 'onnx/model.onnx': 'x', ...more });
    assert.equal(read.task, task, what);
    assert.equal(read.weights, 'onnx/model.onnx', what);
    assert.equal(read.files['config'], 'config.json', what);
  }
});

test('a voice of Piper is a graph with its settings beside it', async (t) => {
  const settings = { audio: { sample_rate: 22_050 }, phoneme_id_map: {} };
  const read = await readHub(t, { 'en-joe.onnx': 'x', 'en-joe.onnx.json': settings, MODEL_CARD: 'x' });
  assert.deepEqual(
    [read.task, read.weights, read.files['voice']],
    ['text-to-speech', 'en-joe.onnx', 'en-joe.onnx.json'],
  );
  assert.equal((await readHub(t, { 'odd.onnx': 'x', 'odd.onnx.json': { a: 1 } })).task, 'tensors');
});

/** An ONNX file with these inputs and outputs, and a weight that an old exporter lists among the inputs. */
function graphFile(inputs: string[], outputs: string[]): Uint8Array {
  const info = (name: string) => value(name, 'FP32', ['batch']);
  return onnxModel({
    ...{ name: 'g', nodes: outputs.map((name) => node('Identity', ['weight'], name)) },
    inputs: [...inputs, 'weight'].map(info),
    outputs: outputs.map(info),
    initializers: [{ name: 'weight', datatype: 'FP32', shape: [5000], data: new Float32Array(5000) }],
  });
}

test('the names in the graph tell with which head a model was exported; what has no task says why', async (t) => {
  const text = ['input_ids', 'attention_mask'];
  const cases: [string, string, string[], string[], string, RegExp | undefined][] = [
    ['a masked language model', 'BertForMaskedLM', text, ['logits'], 'fill-mask', undefined],
    ['an encoder that gives scores', 'BertModel', text, ['logits'], 'tensors', /gives logits, no vectors/],
    ['the same without its head', 'BertForMaskedLM', text, ['last_hidden_state'], 'embeddings', undefined],
    ['a decoder of texts', 'Qwen3ForCausalLM', [...text, 'past_key_values.0.key'], ['logits'], 'chat', undefined],
    [
      'a decoder that embeds',
      'Qwen3ForCausalLM',
      [...text, 'past_key_values.0.key'],
      ['last_hidden_state', 'present.0.key'],
      'embeddings',
      undefined,
    ],
    ['a graph that pools', 'OddModel', text, ['token_embeddings', 'sentence_embedding'], 'embeddings', undefined],
    ['hidden states of who knows what', 'OddModel', text, ['last_hidden_state'], 'tensors', /knows .* OddModel/],
    ['speech', 'VitsModel', text, ['waveform'], 'text-to-speech', undefined],
    ['music', 'OddSoundModel', text, ['waveform'], 'tensors', /knows the architecture OddSoundModel/],
    [
      'a classifier of pages',
      'LayoutLMForSequenceClassification',
      [...text, 'bbox'],
      ['logits'],
      'tensors',
      /takes bbox, which is no input of a text model/,
    ],
  ];
  for (const [what, architecture, inputs, outputs, task, why] of cases) {
    const read = await readHub(t, {
      'config.json': { architectures: [architecture] },
      'tokenizer.json': {},
      'onnx/model.onnx': graphFile(inputs, outputs),
    });
    assert.equal(read.task, task, what);
    if (why === undefined) assert.equal(read.whyTensors, undefined, what);
    else assert.match(read.whyTensors ?? '', why, what);
  }
});

test('a model.json that asks for tensors gets no reason for it', async (t) => {
  const files = { 'config.json': { architectures: ['OddModel'] }, 'tokenizer.json': {}, 'model.onnx': 'x' };
  assert.match((await readHub(t, files)).whyTensors ?? '', /OddModel/);
  assert.equal((await readHub(t, { ...files, 'model.json': { task: 'tensors' } })).whyTensors, undefined);
});

test('the repository says why a model is served as tensors', async (t) => {
  const modelsDir = await makeFolder(t, { 'm/config.json': { architectures: ['OddModel'] }, 'm/model.onnx': 'x' });
  const rig = createRig(t, modelsDir);
  await rig.repository.start();
  const why = rig.events.flatMap((event) => (event.kind === 'served_as_tensors' ? [event.why] : []));
  assert.deepEqual(why, ['no task knows the architecture OddModel']);
});

test('a pooling in another folder than usual is found; layers behind it, which no task computes, have no roles', async (t) => {
  const { files } = await readHub(t, {
    'config.json': BERT,
    'tokenizer.json': {},
    'modules.json': modules('Transformer', 'Dropout', 'Pooling', 'Dense'),
    '2_Pooling/config.json': {},
    '3_Dense/config.json': {},
    '3_Dense/model.safetensors': 'x',
    'onnx/model.onnx': 'x',
  });
  assert.equal(files['pooling'], '2_Pooling/config.json');
  assert.deepEqual(
    Object.values(files).filter((file) => file.startsWith('3_Dense/')),
    [],
  );
});
