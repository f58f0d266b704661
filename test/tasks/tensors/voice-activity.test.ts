import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { answer, json, jsonOf, openShipped, refusal, spec, type ShippedModel } from '../support.ts';

const RATE = 16_000;
const CONTEXT = 64;
const WINDOW = 512;

interface VoiceReply {
  output: number[];
  stateN: number[][];
}

let model: ShippedModel;
before(async () => {
  model = await openShipped('voice-activity', {
    inputs: [spec('input', 'FP32', [-1, 576]), spec('state', 'FP32', [2, -1, 128], 1), spec('sr', 'INT64', [], null)],
    outputs: [spec('output', 'FP32', [-1, 1]), spec('stateN', 'FP32', [2, -1, 128], 1)],
    batchable: true,
  });
});

/** Probability of speech for each window of 32 ms, the state handed on from reply to request. */
async function speechIn(sound: Float32Array): Promise<number[]> {
  let state = [0, 1].map(() => new Array<number>(128).fill(0));
  let context = new Array<number>(CONTEXT).fill(0);
  const probabilities: number[] = [];
  for (let start = 0; start + WINDOW <= sound.length; start += WINDOW) {
    const window = Array.from(sound.subarray(start, start + WINDOW));
    const reply = jsonOf(await answer(model, json({ input: [...context, ...window], state, sr: RATE }))) as VoiceReply;
    probabilities.push(reply.output[0] ?? NaN);
    state = reply.stateN;
    context = window.slice(-CONTEXT);
  }
  return probabilities;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Numbers from -0.5 to 0.5, the same each time. */
function noise(): () => number {
  let seed = 1;
  return () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 32 - 0.5;
  };
}

/** Vowels as a voice makes them: pulses of the vocal cords at about 120 Hz through three resonances, four syllables a second. */
function vowels(seconds: number): Float32Array {
  const resonances = [
    { formants: [730, 270, 300, 530], width: 80, gain: 1, last: 0, before: 0 },
    { formants: [1090, 2290, 870, 1840], width: 90, gain: 0.6, last: 0, before: 0 },
    { formants: [2440, 3010, 2240, 2480], width: 120, gain: 0.3, last: 0, before: 0 },
  ];
  const breath = noise();
  let phase = 0;
  const sound = Float32Array.from({ length: seconds * RATE }, (_, at) => {
    const time = at / RATE;
    const syllable = Math.floor(time * 4);
    phase += (120 + 15 * Math.sin(4.4 * time) + (syllable % 3) * 8) / RATE;
    const source = (phase >= 1 ? 1 : 0) + breath() * 0.02;
    phase %= 1;
    let sample = 0;
    for (const resonance of resonances) {
      const { formants, width, gain, last, before } = resonance;
      const decay = Math.exp((-Math.PI * width) / RATE);
      const turn = Math.cos((2 * Math.PI * (formants[syllable % 4] ?? 0)) / RATE);
      const next = source * (1 - decay) + 2 * decay * turn * last - decay * decay * before;
      Object.assign(resonance, { last: next, before: last });
      sample += next * gain;
    }
    return sample * Math.sqrt(Math.sin(Math.PI * ((time * 4) % 1)));
  });
  const peak = sound.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  return sound.map((sample) => (sample / peak) * 0.5);
}

test('silence, noise and a whistle are not speech', async () => {
  const hiss = noise();
  const sounds = {
    silence: new Float32Array(RATE),
    noise: Float32Array.from({ length: RATE }, () => hiss() * 0.02),
    whistle: Float32Array.from({ length: RATE }, (_, at) => 0.3 * Math.sin((2 * Math.PI * 440 * at) / RATE)),
  };
  for (const [name, sound] of Object.entries(sounds)) {
    const probability = mean(await speechIn(sound));
    assert.ok(probability < 0.1, `${name}: ${probability}`);
  }
});

test('vowels are speech', async () => {
  const probability = mean(await speechIn(vowels(2)));
  assert.ok(probability > 0.8, String(probability));
});

test('the example of model.json is answered, the state row without its batch axis', async () => {
  const reply = jsonOf(await answer(model, model.example)) as VoiceReply;
  assert.equal(reply.output.length, 1);
  assert.deepEqual([reply.stateN.length, reply.stateN[0]?.length], [2, 128]);
});

test('rows get their batch axis at the place that the model has', async () => {
  const prepared = await model.task.prepare(model.example);
  const shapes = Object.fromEntries(Object.entries(prepared.inputs).map(([name, { shape }]) => [name, shape]));
  assert.deepEqual(shapes, { input: [1, 576], state: [2, 1, 128], sr: [] });
});

test('a window of another length is refused', async () => {
  const state = [0, 1].map(() => new Array<number>(128).fill(0));
  await assert.rejects(
    async () => model.task.prepare(json({ input: [0, 0], state, sr: RATE })),
    refusal('INVALID_INPUT', /Input input: must be an array of shape \[576\], not an array of shape \[2\]/),
  );
});
