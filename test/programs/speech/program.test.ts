import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { LaneTicket } from '../../../src/lanes/protocol.ts';
import type { SpeechProgram } from '../../../src/programs/speech/program.ts';
import type { SpeechParameters } from '../../../src/tasks/transcription/speech-work.ts';
import { float32 } from '../../../src/tensors/tensor.ts';
import { sharedModel } from '../../shared-models.ts';
import { sample, samplesOf, tone } from '../../tasks/transcription/support.ts';
import { finish, isMore } from '../stepping.ts';
import { openParts, steppingProgram, ticketOf, tinyModelFolder, tokensOf } from './support.ts';
import { TOKEN } from './tiny-whisper.ts';

/** Enough for all sizes. */
const WARMTH = { runMs: 60_000, allMs: 60_000, repeat: true };

interface Setting {
  readonly name: string;
  readonly skip: string | false;
  /** A folder with a model, and three clips that give texts of different lengths. */
  readonly open: () => Promise<AsyncDisposable & { readonly folder: string }>;
  readonly clips: (folder: string) => Promise<readonly Float32Array[]>;
  readonly prompt: readonly number[];
  readonly timed: readonly number[];
  readonly end: number;
}

const TINY: Setting = {
  name: 'a tiny model',
  skip: false,
  open: tinyModelFolder,
  clips: () => Promise.resolve([tone(600, 30), tone(300, 10), tone(450, 12.5)]),
  prompt: [TOKEN.start, -1, TOKEN.transcribe, TOKEN.noTimestamps],
  timed: [TOKEN.start, TOKEN.fr, TOKEN.transcribe],
  end: TOKEN.end,
};
const MODEL = sharedModel('transcription');
const REAL: Setting = {
  name: 'a real model',
  skip: MODEL === undefined ? 'there is no shared transcription model' : false,
  open: () => Promise.resolve({ folder: MODEL ?? '', [Symbol.asyncDispose]: () => Promise.resolve() }),
  async clips(folder) {
    const heard = async (name: string) =>
      Float32Array.from(samplesOf(await sample(folder, name)), (value) => value / 32_768);
    const speech = await heard('sample.wav');
    return [speech, await heard('sample-synthetic.wav'), speech.slice(0, 60_000)];
  },
  prompt: [50_257, 50_362],
  timed: [50_257],
  end: 50_256,
};

for (const { name, skip, open, clips: clipsIn, prompt, timed, end } of [TINY, REAL])
  describe(`the speech program with ${name}`, { skip }, () => {
    let program: SpeechProgram;
    let files: Awaited<ReturnType<typeof open>>;
    let [speech, other, short]: readonly Float32Array[] = [];
    const alone: number[][] = [];
    const ticket = (
      id: number,
      clip: Float32Array = new Float32Array(0),
      more: Partial<SpeechParameters> = {},
    ): LaneTicket => ticketOf(id, clip, { prompt, ...more });
    const texts = async (first: readonly LaneTicket[], joining?: Readonly<Record<number, LaneTicket>>) =>
      new Map([...(await finish(program, first, joining))].map(([id, outcome]) => [id, tokensOf(outcome)]));

    before(async () => {
      files = await open();
      program = steppingProgram(await openParts(files.folder));
      const clips = await clipsIn(files.folder);
      [speech, other, short] = clips;
      for (const [id, clip] of clips.entries()) alone.push((await texts([ticket(id, clip)])).get(id) ?? []);
    });
    after(async () => {
      await program.release();
      await files[Symbol.asyncDispose]();
    });

    test('a window ends with the end token, after as many tokens as it has', () => {
      for (const tokens of alone) assert.equal(tokens.at(-1), end);
      assert.equal(new Set(alone.map(({ length }) => length)).size, 3);
    });

    test('windows in a batch get the tokens that they get alone', async () => {
      const done = await texts([speech, other, short].map((clip, id) => ticket(id, clip)));
      assert.deepEqual([done.get(0), done.get(1), done.get(2)], alone);
    });

    test('windows that join while others are written change no other text, whatever the lengths of their prompts', async () => {
      const done = await texts([ticket(1, speech), ticket(2, other)], {
        3: ticket(3, short),
        5: ticket(4, speech, { prompt: timed, timestamps: true }),
        8: ticket(5, other),
      });
      assert.deepEqual([done.get(1), done.get(2), done.get(3), done.get(5)], [alone[0], alone[1], alone[2], alone[1]]);
      assert.ok((done.get(4) ?? []).filter((token) => token > (prompt.at(-1) ?? 0)).length >= 2);
    });

    test('a window may leave at any point, and the others go on', async () => {
      for (const runs of [1, 2, 4]) {
        let live: LaneTicket[] = [ticket(11, short), ticket(12, speech), ticket(13, other)];
        for (let run = 0; run < runs; run += 1) {
          const { outcomes } = await program.run(live);
          live = live.filter((_, index) => isMore(outcomes[index])).map(({ id }) => ({ id }));
        }
        assert.ok(live.some(({ id }) => id === 11));
        const done = await texts(live.filter(({ id }) => id !== 11));
        assert.deepEqual([done.get(12), done.get(13)], [alone[0], alone[1]]);
      }
    });

    test('a window stops at its limit of tokens', async () => {
      assert.deepEqual((await texts([ticket(1, speech, { maxTokens: 5 })])).get(1), alone[0]?.slice(0, 5));
    });

    test('above temperature 0 the seed decides what is drawn, whatever else is in the batch', async () => {
      const drawn = { temperature: 1, seed: 5 };
      const first = await texts([ticket(1, other, drawn)]);
      const second = await texts([ticket(2, speech), ticket(1, other, drawn)]);
      assert.deepEqual(first.get(1), second.get(1));
      assert.deepEqual(second.get(2), alone[0]);
    });

    test('features that do not fit fail alone', async () => {
      const broken: LaneTicket = { ...ticket(1, speech), inputs: [float32([1, 80, 10], new Float32Array(800))] };
      const { outcomes } = await program.run([broken, ticket(2, speech)]);
      assert.equal(outcomes[0]?.ok, false);
      assert.ok(isMore(outcomes[1]));
      assert.deepEqual((await texts([{ id: 2 }])).get(2), alone[0]);
    });

    test('the warm-up runs, reports the times of joining and stepping, and leaves nothing behind', async () => {
      const limits = { maxItems: 8, maxCost: Infinity };
      const runs = await program.warm({ sizes: [1, 2, 4, 8], limits, budget: WARMTH });
      assert.deepEqual([...new Set(runs.map(({ shapeKey }) => shapeKey))].sort(), ['join', 'step']);
      assert.deepEqual([...new Set(runs.map(({ items }) => items))], [1]);
    });

    test('the description says what a ticket takes and gives, and has the encoder for tensors', () => {
      const { signature, graph, stepping, limits } = program.description;
      assert.deepEqual([signature.inputs[0]?.shape, stepping, limits?.maxItems], [[-1, 80, 3000], true, 8]);
      assert.deepEqual(
        graph?.inputs.map(({ name: input }) => input),
        ['input_features'],
      );
    });
  });
