import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { pullModel, type Pull, type PullOptions } from '../../src/hub/pull.ts';
import { parseReference } from '../../src/config/hub-reference.ts';
import type { FakeHub } from './hub-server.ts';

/** A folder for models of its own, gone afterwards. */
export async function makeModelsDir(t: TestContext): Promise<string> {
  const folder = await realpath(await mkdtemp(path.join(os.tmpdir(), 'carpool-hub-')));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface PullRig {
  readonly modelsDir: string;
  /** Pulls the hub's repository into `tiny`; with pieces of 1000 bytes, and hardly a wait between tries. */
  readonly pull: (more?: Partial<PullOptions> & { reference?: string }) => Promise<Pull>;
  readonly notes: string[];
  /** Calls of the progress. */
  readonly progress: { total: number; bytes: number; stops: number };
  readonly read: (name: string) => Promise<Buffer>;
}

export async function createPullRig(t: TestContext, hub: FakeHub): Promise<PullRig> {
  const modelsDir = await makeModelsDir(t);
  const notes: string[] = [];
  const progress = { total: 0, bytes: 0, stops: 0 };
  return {
    modelsDir,
    notes,
    progress,
    pull: ({ reference = `hf:${hub.repository}`, tuning, ...more } = {}) =>
      pullModel(parseReference(reference), {
        modelsDir,
        endpoint: hub.endpoint,
        token: '',
        defaultDtype: 'auto',
        refresh: true,
        onNote: (text) => notes.push(text),
        progress: {
          start: (_, total, there) => Object.assign(progress, { total, bytes: there }),
          add: (bytes) => (progress.bytes += bytes),
          stop: () => (progress.stops += 1),
        },
        tuning: { pieceBytes: 1000, firstDelayMs: 1, attempts: 4, connections: 3, ...tuning },
        ...more,
      }),
    read: (name) => readFile(path.join(modelsDir, 'tiny', name)),
  };
}

/** Bytes that any mistake in their order changes. */
export function bytesOf(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let at = 0; at < length; at += 1) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    bytes[at] = state >> 16;
  }
  return bytes;
}

/** A repository as exporters make them, with several dtypes and things that serving does not need. */
export const BERT_FILES = {
  'config.json': JSON.stringify({ architectures: ['BertModel'] }),
  'tokenizer.json': '{"version":"1.0"}',
  'tokenizer_config.json': '{}',
  '1_Pooling/config.json': '{"pooling_mode_mean_tokens":true}',
  'README.md': '# tiny',
  'pytorch_model.bin': 'not wanted',
  'vocab.txt': 'not wanted',
  'onnx/model.onnx': bytesOf(5432),
  'onnx/model.onnx_data': bytesOf(2000, 2),
  'onnx/model_quantized.onnx': bytesOf(3210, 3),
};
