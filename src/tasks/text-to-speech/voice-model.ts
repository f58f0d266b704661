import type { TaskSource } from '../task.ts';
import type { Tensor } from '../../tensors/tensor.ts';

/** What a kind of voice model takes and gives. */
export interface VoiceModel {
  /** Of the waveform. */
  readonly rateHz: number;
  /** Names of its voices, the first one first; a model of one voice may name none. */
  readonly voices: readonly string[];
  /** Whether the graph itself speaks faster or slower. */
  readonly hasSpeed: boolean;
  /** The output with the waveform, float32 of any shape with one row. */
  readonly output: string;
  /** The voice of espeak-ng for whose phonemes the ids stand; undefined: they stand for letters. */
  readonly phonemes: string | undefined;
  /** A text in letters that the model, or espeak-ng, reads. Throws INVALID_INPUT on a text that cannot be read. */
  normalise(text: string): string;
  /** Ids of the letters or phonemes of a sentence; none where the model knows none of them. */
  idsOf(text: string): readonly number[];
  /** Ids of something short, for the trial. */
  readonly exampleIds: readonly number[];
  /** Inputs of the graph by name. */
  inputs(ids: readonly number[], choice: VoiceChoice): Readonly<Record<string, Tensor>>;
}

export interface VoiceChoice {
  /** Index in `voices`; 0 for a model of one voice. */
  readonly voice: number;
  /** Twice as fast at 2; 1 where the graph does not take it. */
  readonly speed: number;
}

/** Reads the voice of a folder: a Piper voice, or VITS as transformers has it. Throws a plain Error that says what is wrong with the folder. */
export async function readVoiceModel(source: TaskSource): Promise<VoiceModel> {
  if (source.files['voice'] !== undefined) return (await import('./piper.ts')).readPiperVoice(source);
  return (await import('./vits.ts')).readVits(source);
}

/** The graph's inputs must all be known, and the needed ones there. Throws a plain Error. */
export function checkInputs(
  { signature: { inputs } }: Pick<TaskSource, 'signature'>,
  { needed, known }: { readonly needed: readonly string[]; readonly known: readonly string[] },
): void {
  const names = inputs.map(({ name }) => name);
  const missing = needed.find((name) => !names.includes(name));
  if (missing !== undefined) throw new Error(`text-to-speech needs a graph with the input ${missing}`);
  const odd = names.find((name) => !needed.includes(name) && !known.includes(name));
  if (odd !== undefined) throw new Error(`the graph takes ${odd}, which is no input of a voice that is known`);
}
