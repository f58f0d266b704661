import { shortFloat32 } from '../tensors/float-text.ts';
import { ACTIVATIONS, type Activation } from './text/scores.ts';

/** The classes of an image or a sound. */

export interface Ranking {
  readonly activation: Activation;
  readonly labels: readonly string[] | undefined;
  /** How many classes are told; 0: all. */
  readonly topK: number;
}

export interface ClassScore {
  readonly label: string;
  readonly score: number;
}

/** Logits as classes with scores, best first. A class without a label is called by its number. */
export function rankClasses(logits: Float32Array, { activation, labels, topK }: Ranking): ClassScore[] {
  const scores = Array.from(ACTIVATIONS[activation](logits), (score, index) => ({
    label: labels?.[index] ?? String(index),
    score,
  }));
  scores.sort((one, other) => other.score - one.score);
  const kept = topK === 0 ? scores : scores.slice(0, topK);
  return kept.map(({ label, score }) => ({ label, score: shortFloat32(score) }));
}
