import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { VoiceActivity } from '../../../src/programs/speech/voice-activity.ts';
import { SteppingRun } from '../../../src/programs/stepping-run.ts';
import { VOICE_TICKET } from '../../../src/tasks/transcription/speech-work.ts';
import { float32, typedView } from '../../../src/tensors/tensor.ts';
import { LANE, MODEL, sample, samplesOf } from '../../tasks/transcription/support.ts';

const MODELS = new URL('../../../../models/', import.meta.url);
const file = (name: string): string => fileURLToPath(new URL(`${name}/model.onnx`, MODELS));

test('speech is heard where it is, and a long stretch in parts gives what short ones give', async (t) => {
  const voice = new VoiceActivity(file('voice-activity'), LANE);
  t.after(() => voice.release());
  const speech = Float32Array.from(samplesOf(await sample(MODEL)), (value) => value / 32_768);
  const all = new Float32Array(30 * 16_000);
  all.set(speech, 12 * 16_000);
  const probabilities = await voice.probabilities(all);
  assert.equal(probabilities.length, Math.ceil(all.length / 512));
  const likely = (fromSeconds: number, toSeconds: number): number =>
    probabilities.slice(fromSeconds * 31.25, toSeconds * 31.25).filter((probability) => probability >= 0.5).length;
  assert.deepEqual([likely(0, 12), likely(24, 30)], [0, 0]);
  // More than half of the 11 s: the rest are pauses.
  assert.ok(likely(12, 23) > 5.5 * 31.25, `${likely(12, 23)} chunks`);
  const alone = await voice.probabilities(speech.slice(0, 31 * 512));
  const first = probabilities.subarray(375, 375 + 31);
  const differing = alone.filter((probability, at) => probability >= 0.5 !== (first[at] ?? NaN) >= 0.5).length;
  assert.ok(differing <= 3, `${differing} chunks differ`);
});

test('its tickets are answered one a run, and those that have left are not', async (t) => {
  const voice = new VoiceActivity(file('voice-activity'), LANE);
  t.after(() => voice.release());
  const ticket = (id: number) => ({
    id,
    inputs: [float32([1, 1024], new Float32Array(1024))],
    parameters: VOICE_TICKET,
  });
  assert.equal(voice.add({ id: 9, parameters: { prompt: [] } }), false);
  for (const id of [1, 2, 3]) assert.ok(voice.add(ticket(id)));
  voice.keepOnly((id) => id !== 2);
  const answered: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const run = new SteppingRun();
    await voice.answer(run);
    for (const [id, outcome] of run.ended) {
      answered.push(id);
      const output = 'outputs' in outcome ? outcome.outputs[2] : undefined;
      assert.ok(output !== undefined && output.datatype === 'FP32');
      assert.ok(typedView(output).length === 2 && typedView(output).every((value) => Number(value) < 0.5));
    }
    assert.ok(run.ended.size <= 1);
  }
  assert.deepEqual(answered, [1, 3]);
});

test('another model is refused when the program is opened', () => {
  assert.throws(() => new VoiceActivity(file('language-id'), LANE), /not the voice activity model.*state/);
});
