import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { LaneTicket, TicketOutcome } from '../../../src/lanes/protocol.ts';
import type { Program } from '../../../src/programs/program.ts';
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

export function isMore(outcome: TicketOutcome | undefined): boolean {
  return outcome?.ok === true && 'more' in outcome;
}

export function tokensOf(outcome: TicketOutcome | undefined): number[] {
  const tokens = outcome !== undefined && 'outputs' in outcome ? outcome.outputs[0] : undefined;
  if (tokens === undefined || tokens.datatype === 'BYTES') throw new Error(JSON.stringify(outcome));
  return Array.from(typedView(tokens), Number);
}

/** Runs tickets to their ends; `joining` come in after the given number of runs. */
export async function finish(
  program: Program,
  first: readonly LaneTicket[],
  joining: Readonly<Record<number, LaneTicket>> = {},
): Promise<Map<number, TicketOutcome>> {
  const done = new Map<number, TicketOutcome>();
  let live = [...first];
  for (let run = 0; live.length > 0 || Object.keys(joining).some((at) => Number(at) >= run); run += 1) {
    const newcomer = joining[run];
    if (newcomer !== undefined) live.push(newcomer);
    const { outcomes } = await program.run(live);
    const next: LaneTicket[] = [];
    for (const [index, { id }] of live.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined) throw new Error(`ticket ${id} has no outcome`);
      if (isMore(outcome)) next.push({ id });
      else done.set(id, outcome);
    }
    live = next;
  }
  return done;
}
