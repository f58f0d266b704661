import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LogMel } from '../../../src/tasks/transcription/log-mel.ts';
import { UNKNOWN_LANGUAGE, type SpeechParameters } from '../../../src/tasks/transcription/speech-work.ts';
import type { TicketOutcome } from '../../../src/lanes/protocol.ts';
import type { Program } from '../../../src/programs/program.ts';
import { float32, typedView } from '../../../src/tensors/tensor.ts';
import { openSpeech, speechSource, tone } from '../../tasks/transcription/support.ts';
import { plainWhisper } from './plain-whisper.ts';
import { MELS, TOKEN, writeTinyWhisper } from './tiny-whisper.ts';

const CLIPS = [tone(300, 10), tone(2500, 3), tone(600, 30), tone(450, 12.5)];

describe('a tiny Whisper writes what a plain loop over its weights writes', () => {
  let folder = '';
  let program: Program;
  const extractor = new LogMel(MELS);
  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-whisper-'));
    await writeTinyWhisper(folder);
    program = await openSpeech(speechSource(folder));
  });
  after(async () => {
    await program.release();
    await rm(folder, { recursive: true });
  });

  /** All windows together, to their ends. */
  async function write(windows: readonly Float32Array[], parameters: SpeechParameters): Promise<TicketOutcome[]> {
    const done: TicketOutcome[] = [];
    let tickets = windows.map((features, id) => ({
      id,
      inputs: [float32([1, MELS, 3000], features.slice())],
      parameters,
    }));
    while (tickets.length > 0) {
      const { outcomes } = await program.run(tickets);
      const goOn = tickets.filter(({ id }, index) => {
        const outcome = outcomes[index];
        if (outcome === undefined || !('more' in outcome)) done[id] = outcome ?? assert.fail('no outcome');
        return done[id] === undefined;
      });
      tickets = goOn.map(({ id }) => ({ id })) as typeof tickets;
    }
    return done;
  }

  const { start, de, transcribe, noTimestamps, startOfPrevious } = TOKEN;
  const cases: readonly [string, readonly number[], Partial<SpeechParameters>][] = [
    ['in a language that it is told', [start, de, transcribe, noTimestamps], {}],
    ['in the language that it hears', [start, UNKNOWN_LANGUAGE, transcribe, noTimestamps], {}],
    ['with timestamps', [start, UNKNOWN_LANGUAGE, transcribe], { timestamps: true }],
    ['after an earlier text', [startOfPrevious, 104, 101, start, de, transcribe, noTimestamps], {}],
    ['up to a number of tokens', [start, de, transcribe], { timestamps: true, maxTokens: 3 }],
  ];
  for (const [name, prompt, more] of cases)
    test(name, async () => {
      const parameters: SpeechParameters = {
        ...{ prompt, timestamps: false, maxTokens: 40, temperature: 0, seed: 0 },
        ...more,
      };
      const windows = CLIPS.map((clip) => extractor.features(clip));
      for (const [index, outcome] of (await write(windows, parameters)).entries()) {
        if (!outcome.ok || !('outputs' in outcome)) throw new Error(JSON.stringify(outcome));
        const [tokens = [], stats = []] = outcome.outputs.map((tensor) =>
          tensor.datatype === 'BYTES' ? [] : Array.from(typedView(tensor), Number),
        );
        const plain = plainWhisper(windows[index] ?? new Float32Array(0), parameters);
        assert.deepEqual(tokens, plain.tokens);
        const [meanLogprob = NaN, noSpeechProb = NaN, language] = stats;
        assert.ok(Math.abs(meanLogprob - plain.meanLogprob) < 1e-4, `${meanLogprob}, not ${plain.meanLogprob}`);
        assert.ok(Math.abs(noSpeechProb - plain.noSpeechProb) < 1e-6);
        assert.equal(language, plain.language);
      }
    });

  test('different audio gives different texts', () => {
    const parameters: SpeechParameters = {
      prompt: [start, UNKNOWN_LANGUAGE, transcribe, noTimestamps],
      ...{ timestamps: false, maxTokens: 40, temperature: 0, seed: 0 },
    };
    const texts = CLIPS.map((clip) => plainWhisper(extractor.features(clip), parameters).tokens.join());
    assert.equal(new Set(texts).size, CLIPS.length);
  });
});
