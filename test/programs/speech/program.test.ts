import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LogMel } from '../../../src/tasks/transcription/log-mel.ts';
import type { SpeechParameters } from '../../../src/tasks/transcription/speech-work.ts';
import { float32, typedView, type Tensor } from '../../../src/tensors/tensor.ts';
import type { LaneTicket, TicketOutcome } from '../../../src/lanes/protocol.ts';
import type { Program } from '../../../src/programs/program.ts';
import { MODEL, openSpeech, sample, samplesOf, speechSource } from '../../tasks/transcription/support.ts';

/** Enough for all sizes. */
const WARMTH = { runMs: 60_000, allMs: 60_000, repeat: true };

const skip = MODEL === undefined ? 'there is no shared transcription model' : false;
const START = 50_257;
const NO_TIMESTAMPS = 50_362;
const END = 50_256;

describe('the speech program', { skip }, () => {
  let program: Program;
  const extractor = new LogMel(80);
  const clips: Float32Array[] = [];
  const alone: (readonly number[])[] = [];

  function ticket(id: number, clip: Float32Array, more: Partial<SpeechParameters> = {}): LaneTicket {
    const parameters: SpeechParameters = {
      prompt: [START, NO_TIMESTAMPS],
      timestamps: false,
      maxTokens: 60,
      temperature: 0,
      seed: 0,
      ...more,
    };
    return { id, inputs: [float32([1, 80, 3000], extractor.features(clip))], parameters };
  }

  function isMore(outcome: TicketOutcome | undefined): boolean {
    return outcome?.ok === true && 'more' in outcome;
  }

  function tokensOf(outcome: TicketOutcome | undefined): number[] {
    if (outcome?.ok !== true || !('outputs' in outcome)) throw new Error(JSON.stringify(outcome));
    const [tokens] = outcome.outputs as readonly [Extract<Tensor, { data: Uint8Array }>];
    return Array.from(typedView(tokens), Number);
  }

  /** Runs tickets to their ends; `joining` come in after the given number of runs. */
  async function finish(first: readonly LaneTicket[], joining: Readonly<Record<number, LaneTicket>> = {}) {
    const done = new Map<number, number[]>();
    let live = [...first];
    for (let run = 0; live.length > 0 || Object.keys(joining).some((at) => Number(at) >= run); run += 1) {
      const newcomer = joining[run];
      if (newcomer !== undefined) live.push(newcomer);
      const { outcomes } = await program.run(live);
      const next: LaneTicket[] = [];
      for (const [index, { id }] of live.entries()) {
        if (isMore(outcomes[index])) next.push({ id });
        else done.set(id, tokensOf(outcomes[index]));
      }
      live = next;
    }
    return done;
  }

  before(async () => {
    const folder = MODEL ?? '';
    program = await openSpeech(speechSource(folder));
    const speech = Float32Array.from(samplesOf(await sample(folder)), (value) => value / 32_768);
    const other = Float32Array.from(samplesOf(await sample(folder, 'sample-synthetic.wav')), (value) => value / 32_768);
    clips.push(speech, other, speech.slice(0, 60_000));
    for (const [id, clip] of clips.entries()) alone.push((await finish([ticket(id, clip)])).get(id) ?? []);
  });
  after(() => program.release());

  test('a window ends with the end token, after as many tokens as it has', () => {
    for (const tokens of alone) assert.equal(tokens.at(-1), END);
    assert.notEqual(alone[0]?.length, alone[2]?.length);
  });

  test('windows in a batch get the tokens that they get alone', async () => {
    const done = await finish(clips.map((clip, id) => ticket(id, clip)));
    assert.deepEqual(
      clips.map((_, id) => done.get(id)),
      alone,
    );
  });

  test('windows that join while others are written, with prompts of other lengths or not, change nobody', async () => {
    const [speech = new Float32Array(0), other = speech, short = speech] = clips;
    const done = await finish([ticket(1, speech), ticket(2, other)], {
      3: ticket(3, short),
      5: ticket(4, speech, { prompt: [START], timestamps: true }),
      8: ticket(5, other),
    });
    assert.deepEqual([done.get(1), done.get(2), done.get(3), done.get(5)], [alone[0], alone[1], alone[2], alone[1]]);
    assert.ok((done.get(4) ?? []).filter((token) => token > NO_TIMESTAMPS).length >= 2);
  });

  test('a window that leaves is let go of, at any point, and the others go on', async () => {
    const [speech = new Float32Array(0), other = speech, short = speech] = clips;
    for (const runs of [1, 2, 4]) {
      let live: LaneTicket[] = [ticket(11, short), ticket(12, speech), ticket(13, other)];
      for (let run = 0; run < runs; run += 1) {
        const { outcomes } = await program.run(live);
        live = live.filter((_, index) => isMore(outcomes[index])).map(({ id }) => ({ id }));
      }
      assert.ok(live.some(({ id }) => id === 11));
      const done = await finish(live.filter(({ id }) => id !== 11));
      assert.deepEqual([done.get(12), done.get(13)], [alone[0], alone[1]]);
    }
  });

  test('a window stops at its limit of tokens', async () => {
    const [speech = new Float32Array(0)] = clips;
    assert.deepEqual((await finish([ticket(1, speech, { maxTokens: 5 })])).get(1), alone[0]?.slice(0, 5));
  });

  test('a seed decides what is drawn above temperature 0, whoever else is there', async () => {
    const [speech = new Float32Array(0), other = speech] = clips;
    const drawn = { temperature: 1, seed: 5 };
    const first = await finish([ticket(1, other, drawn)]);
    const second = await finish([ticket(2, speech), ticket(1, other, drawn)]);
    assert.deepEqual(first.get(1), second.get(1));
    assert.deepEqual(second.get(2), alone[0]);
  });

  test('features that do not fit fail alone', async () => {
    const [speech = new Float32Array(0)] = clips;
    const broken: LaneTicket = { ...ticket(1, speech), inputs: [float32([1, 80, 10], new Float32Array(800))] };
    const { outcomes } = await program.run([broken, ticket(2, speech)]);
    assert.equal(outcomes[0]?.ok, false);
    assert.ok(isMore(outcomes[1]));
    assert.deepEqual((await finish([{ id: 2 }])).get(2), alone[0]);
  });

  test('the warm-up runs, tells what joining and stepping take, and leaves nothing behind', async () => {
    const runs = await program.warm({
      sizes: [1, 2, 4, 8],
      limits: { maxItems: 8, maxCost: Infinity },
      budget: WARMTH,
    });
    assert.deepEqual([...new Set(runs.map(({ shapeKey }) => shapeKey))].sort(), ['join', 'step']);
    assert.deepEqual([...new Set(runs.map(({ items }) => items))], [1, 2]);
  });

  test('it says what a ticket takes and gives, and shows the encoder for tensors', () => {
    const { signature, graph, stepping, limits } = program.description;
    assert.deepEqual([signature.inputs[0]?.shape, stepping, limits?.maxItems], [[-1, 80, 3000], true, 8]);
    assert.deepEqual(
      graph?.inputs.map(({ name }) => name),
      ['input_features'],
    );
  });
});
