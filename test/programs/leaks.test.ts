import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, mock, test } from 'node:test';
import { InferenceSession } from 'onnxruntime-node';
import type { ModelSpec } from '../../src/model-spec.ts';
import type { ProgramKind } from '../../src/tasks/task.ts';
import { openProgram } from '../../src/programs/programs.ts';
import { onnxModel } from '../../tools/onnx-writer.ts';
import { LANE, speechSource, speechSpec } from '../tasks/transcription/support.ts';
import { tinyDecoder } from './generation/tiny-decoder.ts';
import { writeTinyWhisper } from './speech/tiny-whisper.ts';

/** A sound graph that no program can use. */
const OTHER = onnxModel({
  name: 'other',
  inputs: [{ name: 'x', datatype: 'FP32', shape: ['batch'] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: ['batch'] }],
  nodes: [{ op: 'Identity', inputs: ['x'], outputs: ['y'] }],
});

describe('a model that cannot be opened leaves no session open', () => {
  let folder = '';
  let open = 0;
  const file = (name: string): string => path.join(folder, name);

  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-leaks-'));
    await writeTinyWhisper(folder);
    await writeFile(file('other.onnx'), OTHER);
    await writeFile(file('none.onnx'), 'no graph');
    await writeFile(file('decoder.onnx'), tinyDecoder({}));
    const create = InferenceSession.create.bind(InferenceSession) as (...given: unknown[]) => Promise<InferenceSession>;
    mock.method(InferenceSession, 'create', async (...given: unknown[]) => {
      const session = await create(...given);
      open += 1;
      const release = session.release.bind(session);
      mock.method(session, 'release', async () => {
        open -= 1;
        await release();
      });
      return session;
    });
  });
  afterEach(() => {
    open = 0;
  });
  after(async () => {
    mock.restoreAll();
    await rm(folder, { recursive: true });
  });

  async function refuses(spec: ModelSpec): Promise<void> {
    await assert.rejects(openProgram(spec, LANE));
    assert.equal(open, 0);
  }

  const specOf = (kind: ProgramKind, graphs: Readonly<Record<string, string>>, options = {}): ModelSpec => ({
    ...{ key: 'test', weights: graphs['model'] ?? '', session: {}, inputs: [], outputs: [] },
    program: { kind, graphs, options },
  });

  for (const decoder of ['none.onnx', 'other.onnx'])
    test(`speech whose decoder is ${decoder}`, async () => {
      const spec = await speechSpec(speechSource(folder));
      const program = spec.program ?? assert.fail('there is no program');
      await refuses({ ...spec, program: { ...program, graphs: { ...program.graphs, decoder: file(decoder) } } });
    });

  test('a chat model whose graph is not a decoder', async () => {
    const options = { contextTokens: 64, prefillChunk: 16, kvCacheBytes: 2 ** 20, prefixCacheBytes: 0 };
    await refuses(specOf('generation', { model: file('other.onnx') }, { ...options, slidingWindow: false }));
  });

  test('a pipeline whose unet is another graph', async () => {
    await refuses(specOf('diffusion', { model: file('other.onnx') }));
  });

  test('a text encoder whose graph is not one', async () => {
    await refuses(
      specOf('text-encoder', { model: file('other.onnx') }, { wants: 'embedding', maxLength: 8, padId: 0 }),
    );
  });

  test('a graph whose model.json does not fit it', async () => {
    const inputs = [{ name: 'z', datatype: 'FP32' }] as const;
    await refuses({ key: 'test', weights: file('other.onnx'), session: {}, inputs, outputs: [] });
  });
});
