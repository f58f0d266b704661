import { toInt16 } from './pcm.ts';
import { Resampler } from './resampler.ts';
import { readFrames, type WavLayout } from './wav.ts';

/** The argument of the task's call `wav`: seconds of a WAV. Its bytes come back with the samples. */
export interface WavCall {
  readonly audio: Uint8Array;
  readonly layout: WavLayout;
  /** Of the samples that are wanted. */
  readonly rateHz: number;
  readonly fromSecond: number;
  readonly seconds: number;
}

/** Output near a cut needs input on both sides of it; a second is longer than the filter. */
const MARGIN_SECONDS = 1;

/** Some seconds of a WAV as mono samples at another rate, equal to the same part of the whole. */
export function readWavPart({ audio, layout, fromSecond, seconds, rateHz: toHz }: WavCall): Int16Array<ArrayBuffer> {
  const { rateHz, frames } = layout;
  const endFrame = Math.min(frames, (fromSecond + seconds) * rateHz);
  if (rateHz === toHz) {
    const start = fromSecond * rateHz;
    return toInt16(readFrames(audio, layout, { start, count: Math.max(0, endFrame - start) }));
  }
  const margin = fromSecond > 0 ? MARGIN_SECONDS : 0;
  const resampler = new Resampler(rateHz, toHz);
  const lastFrame = Math.min(frames, endFrame + MARGIN_SECONDS * rateHz);
  const skipped = margin * toHz;
  const kept = new Int16Array(seconds * toHz);
  let at = -skipped;
  const keep = (values: Float32Array): void => {
    const from = Math.max(0, -at);
    const fits = values.subarray(from, Math.max(from, kept.length - at));
    kept.set(toInt16(fits), at + from);
    at += values.length;
  };
  // A second at a time, so that only the result is held whole.
  for (let start = (fromSecond - margin) * rateHz; start < lastFrame && at < kept.length; start += rateHz)
    keep(resampler.push(readFrames(audio, layout, { start, count: Math.min(rateHz, lastFrame - start) })));
  if (lastFrame === frames && at < kept.length) keep(resampler.flush());
  return kept.slice(0, Math.max(0, Math.min(at, kept.length)));
}
