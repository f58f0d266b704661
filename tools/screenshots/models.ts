import { copyFileSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { node, value, type Graph } from '../../test/onnx/models.ts';
import { SHIPPED_MODELS } from '../../test/process/carpool.ts';
import { sharedModel } from '../../test/shared-models.ts';
import { TINY_TOKENIZER, tinyGraph } from '../../test/tasks/text/tiny-encoder.ts';
import { onnxModel } from '../onnx-writer.ts';

/** Models of nearly every task for the playground: those of this repository, and the tiny ones of random weights that tests compare with Python. */

export const TASKS = fileURLToPath(new URL('../../../test/tasks', import.meta.url));

/** Makes a folder of them; large files are links. */
export function makeModels(folder: string): void {
  const references = ['audio', 'image', 'text', 'text-to-text'].map((task) => path.join(TASKS, task, 'reference'));
  for (const parent of [SHIPPED_MODELS, ...references])
    for (const entry of readdirSync(parent, { withFileTypes: true }))
      if (entry.isDirectory()) symlinkSync(path.join(parent, entry.name), path.join(folder, entry.name));
  symlinkSync(path.join(TASKS, 'text-to-speech/vits'), path.join(folder, 'vits'));
  write(path.join(folder, 'reranking'), {
    'config.json': JSON.stringify({
      model_type: 'xlm-roberta',
      architectures: ['XLMRobertaForSequenceClassification'],
      max_position_embeddings: 34,
      pad_token_id: 1,
      id2label: { 0: 'LABEL_0' },
    }),
    'tokenizer.json': JSON.stringify(TINY_TOKENIZER),
    'tokenizer_config.json': JSON.stringify({ pad_token: '[PAD]' }),
    'model.onnx': onnxModel({ name: 'reranking', ...tinyGraph({ classes: 1 }) }),
  });
  write(path.join(folder, 'remover'), {
    'model.json': JSON.stringify({
      task: 'background-removal',
      files: { preprocessorConfig: 'preprocessor_config.json' },
    }),
    'preprocessor_config.json': JSON.stringify({ do_normalize: false, size: { height: 64, width: 64 } }),
    'model.onnx': onnxModel({ name: 'remover', ...REMOVER }),
  });
  const reader = sharedModel('text-recognition');
  if (reader === undefined) return;
  write(path.join(folder, 'text-recognition'), {
    'model.json': JSON.stringify({ task: 'tensors', labels: 'ppocr_keys_v1.txt', loading: 'eager' }),
  });
  // Links lead out of the folder, which a server does not follow.
  for (const name of readdirSync(reader))
    copyFileSync(path.join(reader, name), path.join(folder, 'text-recognition', name));
}

/** What is dark belongs to the background. */
const REMOVER: Graph = {
  inputs: [value('pixel_values', 'FP32', ['batch', 3, 64, 64])],
  outputs: [value('alphas', 'FP32', ['batch', 1, 64, 64])],
  nodes: [node('ReduceMean', ['pixel_values'], 'alphas', { axes: { ints: [1] }, keepdims: { int: 1 } })],
};

function write(folder: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
}
