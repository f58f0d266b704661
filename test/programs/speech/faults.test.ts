import assert from 'node:assert/strict';
import { after, afterEach, before, describe, mock, test } from 'node:test';
import type { LaneTicket } from '../../../src/lanes/protocol.ts';
import type { DecoderCache } from '../../../src/programs/encoder-decoder/decoder-cache.ts';
import type { SpeechParts, SpeechProgram } from '../../../src/programs/speech/program.ts';
import { tone } from '../../tasks/transcription/support.ts';
import { finish, isMore } from '../stepping.ts';
import { openParts, steppingProgram, ticketOf, tinyModelFolder, tokensOf } from './support.ts';

const CLIPS = [tone(600, 30), tone(300, 10), tone(450, 12.5), tone(2500, 3)];
const PROMPT_TOKENS = 4;

describe('the speech program when something fails', () => {
  let files: Awaited<ReturnType<typeof tinyModelFolder>>;
  let parts: SpeechParts;
  let program: SpeechProgram;
  const alone: number[][] = [];
  const all = (): LaneTicket[] => CLIPS.map((clip, id) => ticketOf(id, clip));

  before(async () => {
    files = await tinyModelFolder();
    parts = await openParts(files.folder);
    program = steppingProgram(parts);
    for (const [id, clip] of CLIPS.entries())
      alone.push(tokensOf((await finish(program, [ticketOf(id, clip)])).get(id)));
  });
  afterEach(() => {
    mock.restoreAll();
  });
  after(async () => {
    await program.release();
    await files[Symbol.asyncDispose]();
  });

  /** Lets steps fail: `why` gives the error for last tokens and how many tokens were written before them. */
  function failSteps(why: (ids: readonly number[], written: number) => string | undefined): void {
    const { decoder } = parts;
    const step = decoder.step.bind(decoder);
    mock.method(decoder, 'step', (ids: readonly number[], cache: DecoderCache) => {
      const past = cache.feeds['past_key_values.0.decoder.key']?.dims[2] ?? NaN;
      const error = why(ids, past - PROMPT_TOKENS);
      return error === undefined ? step(ids, cache) : Promise.reject(new Error(error));
    });
  }

  test('a ticket that the lane does not have is lost at once, not at its deadline', async () => {
    const { outcomes } = await program.run([{ id: 77 }, ticketOf(1, CLIPS[1] ?? new Float32Array(0))]);
    assert.deepEqual([outcomes[0]?.ok, outcomes[0]?.ok === false && outcomes[0].code], [false, 'LANE_LOST']);
    assert.ok(isMore(outcomes[1]));
    const then = await program.run([{ id: 1 }, { id: 78 }]);
    assert.deepEqual(then.outcomes.map(isMore), [true, false]);
  });

  test('a window whose step fails ends alone, and the others of its cohort get the text that they get alone', async () => {
    // What window 1 alone has written after two tokens.
    const poison = alone[1]?.[2] ?? NaN;
    assert.ok(alone.every((tokens, id) => id === 1 || tokens[2] !== poison));
    failSteps((ids, written) => (written === 2 && ids.includes(poison) ? 'this row is bad' : undefined));
    const done = await finish(program, all());
    const bad = done.get(1);
    assert.deepEqual([bad?.ok, bad?.ok === false && bad.code], [false, 'INFERENCE_FAILED']);
    for (const id of [0, 2, 3]) assert.deepEqual(tokensOf(done.get(id)), alone[id]);
  });

  test('a step that does not fit in memory is halved, and steps are smaller from then on', async () => {
    const sizes: number[] = [];
    failSteps((ids) => {
      sizes.push(ids.length);
      return ids.length > 2 ? 'Failed to allocate memory for requested buffer' : undefined;
    });
    let live = all();
    const told: (number | undefined)[] = [];
    for (let run = 0; live.length > 0; run += 1) {
      const { outcomes, maxItems } = await program.run(live);
      told.push(maxItems);
      for (const [index, { id }] of live.entries())
        if (!isMore(outcomes[index])) assert.deepEqual(tokensOf(outcomes[index]), alone[id]);
      live = live.filter((_, index) => isMore(outcomes[index])).map(({ id }) => ({ id }));
    }
    assert.equal(told.at(-1), 2);
    assert.equal(sizes.filter((size) => size > 2).length, 1, 'the cohort stays in halves');
  });

  test('a lost device fails all windows, and leaves nothing behind', async () => {
    failSteps((_, written) => (written === 1 ? 'CUDA error 700: an illegal memory access was encountered' : undefined));
    let live = all();
    for (;;) {
      const { outcomes, fatal } = await program.run(live);
      if (fatal !== undefined) {
        assert.ok(outcomes.every((outcome) => !outcome.ok && outcome.code === 'LANE_LOST'));
        break;
      }
      live = live.map(({ id }) => ({ id }));
    }
    mock.restoreAll();
    const { outcomes } = await program.run([{ id: 0 }]);
    assert.equal(outcomes[0]?.ok, false);
  });
});
