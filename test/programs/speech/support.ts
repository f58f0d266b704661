import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { LaneTicket, TicketOutcome } from '../../../src/lanes/protocol.ts';
import { openSpeechParts } from '../../../src/programs/speech/open.ts';
import { SpeechProgram, type SpeechParts } from '../../../src/programs/speech/program.ts';
import { LogMel } from '../../../src/tasks/transcription/log-mel.ts';
import type { SpeechParameters } from '../../../src/tasks/transcription/speech-work.ts';
import { float32, typedView } from '../../../src/tensors/tensor.ts';
import { LANE, speechSource, speechSpec } from '../../tasks/transcription/support.ts';
import { MELS, TOKEN, writeTinyWhisper } from './tiny-whisper.ts';

/** The parts of a program on the files in a folder. */
export async function openParts(folder: string): Promise<SpeechParts> {
  return openSpeechParts(await speechSpec(speechSource(folder)), LANE);
}

/** A program by whose clock a step takes so long that each has a run of its own. */
export function steppingProgram(parts: SpeechParts): SpeechProgram {
  let nowMs = 0;
  return new SpeechProgram(parts, () => (nowMs += 1000));
}

/** A folder with the tiny model, which goes with the test. */
export async function tinyModelFolder(): Promise<AsyncDisposable & { readonly folder: string }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-speech-'));
  await writeTinyWhisper(folder);
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

const extractor = new LogMel(MELS);

/** A window's first ticket. */
export function ticketOf(id: number, clip: Float32Array, more: Partial<SpeechParameters> = {}): LaneTicket {
  const parameters: SpeechParameters = {
    prompt: [TOKEN.start, TOKEN.fr, TOKEN.transcribe, TOKEN.noTimestamps],
    ...{ timestamps: false, maxTokens: 60, temperature: 0, seed: 0 },
    ...more,
  };
  return { id, inputs: [float32([1, MELS, 3000], extractor.features(clip))], parameters };
}

export function tokensOf(outcome: TicketOutcome | undefined): number[] {
  const tokens = outcome !== undefined && 'outputs' in outcome ? outcome.outputs[0] : undefined;
  if (tokens === undefined || tokens.datatype === 'BYTES') throw new Error(JSON.stringify(outcome));
  return Array.from(typedView(tokens), Number);
}
