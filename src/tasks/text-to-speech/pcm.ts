import { Resampler } from '../transcription/resampler.ts';
import { stretch } from './stretch.ts';

/** What becomes of the waveform of a sentence. */
export interface PcmCall {
  /** From -1 to 1. */
  readonly waveform: Float32Array;
  readonly rateHz: number;
  /** The rate of the samples that are wanted. */
  readonly toHz: number;
  /** 1 where the graph has spoken at the speed that was asked for. */
  readonly speed: number;
  /** Seconds of silence after it. */
  readonly silence: number;
}

/** Samples of 16 bits, little-endian, mono. */
export function pcmOf({ waveform, rateHz, toHz, speed, silence }: PcmCall): Uint8Array {
  const spoken = resampled(stretch(waveform, rateHz, speed), rateHz, toHz);
  const samples = new Int16Array(spoken.length + Math.round(silence * toHz));
  for (let at = 0; at < spoken.length; at += 1) {
    const value = Math.max(-1, Math.min(1, spoken[at] as number));
    samples[at] = Math.round(value * 32_767);
  }
  return new Uint8Array(samples.buffer);
}

function resampled(samples: Float32Array, fromHz: number, toHz: number): Float32Array {
  if (fromHz === toHz) return samples;
  const resampler = new Resampler(fromHz, toHz);
  const [head, tail] = [resampler.push(samples), resampler.flush()];
  const all = new Float32Array(head.length + tail.length);
  all.set(head);
  all.set(tail, head.length);
  return all;
}
