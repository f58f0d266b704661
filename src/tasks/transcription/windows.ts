import { SAMPLE_RATE_HZ, WINDOW_SAMPLES } from './log-mel.ts';
import { readPcm, type Pcm } from './pcm.ts';

/** A stretch of audio that is transcribed in one go: at most 30 s. */
export interface Window {
  /** In samples; `end` is not included. */
  readonly start: number;
  readonly end: number;
  /** Samples it shares with the window before it; 0 where the cut is in a pause. */
  readonly overlap: number;
  /** Where the last sound louder than a pause ends. */
  readonly speechEnd: number;
}

/** Loudness is looked at in frames of 20 ms. */
const FRAME = SAMPLE_RATE_HZ / 50;
const FRAMES_PER_SECOND = SAMPLE_RATE_HZ / FRAME;
const WINDOW_FRAMES = WINDOW_SAMPLES / FRAME;

/** Below it there is nothing to hear (an amplitude of 10 of 32768). */
const SILENCE_DB = -70;
/** Silence before a window is left out but for this. */
const LEAD_FRAMES = 0.2 * FRAMES_PER_SECOND;

/** A cut is made in a pause of the last 6 s of 30, else of the last 12: a long one, for sentences end there, and a late one, for every window costs the same. */
const LEAST_PAUSE_FRAMES = 0.2 * FRAMES_PER_SECOND;
const LONG_PAUSE_FRAMES = 1.2 * FRAMES_PER_SECOND;
const SEARCH_FRAMES = [6 * FRAMES_PER_SECOND, 12 * FRAMES_PER_SECOND];
/** So much longer must a pause be that is a frame earlier. */
const LATENESS = 0.08;
/** Where nobody pauses, windows share this much. */
const OVERLAP_FRAMES = 5 * FRAMES_PER_SECOND;

/** Cuts audio into windows, as long as they can be, with cuts in pauses where there are any. Silence is left out: silent audio has no windows. */
export function planWindows(pcm: Pcm): Window[] {
  const levels = loudness(pcm);
  const windows: Window[] = [];
  let from = 0;
  let overlap = 0;
  while (from < levels.length) {
    const begin = overlap > 0 ? from : afterSilence(levels, from);
    if (begin >= levels.length) break;
    const end = levels.length - begin <= WINDOW_FRAMES ? levels.length : cutAt(levels, begin);
    const next = end ?? begin + WINDOW_FRAMES;
    windows.push({
      start: begin * FRAME,
      end: Math.min(pcm.samples, next * FRAME),
      overlap: overlap * FRAME,
      speechEnd: Math.min(pcm.samples, lastSound(levels, begin, next) * FRAME),
    });
    if (next >= levels.length) break;
    overlap = end === undefined ? OVERLAP_FRAMES : 0;
    from = next - overlap;
  }
  return windows;
}

/** RMS of each frame in dB of full scale; -Infinity for zeros. */
function loudness(pcm: Pcm): Float32Array {
  const levels = new Float32Array(Math.ceil(pcm.samples / FRAME));
  const piece = FRAME * 500;
  for (let start = 0; start < pcm.samples; start += piece) {
    const samples = readPcm(pcm, start, start + piece);
    for (let at = 0; at < samples.length; at += FRAME) {
      const end = Math.min(samples.length, at + FRAME);
      let sum = 0;
      for (let index = at; index < end; index += 1) sum += (samples[index] as number) ** 2;
      levels[(start + at) / FRAME] = 10 * Math.log10(sum / (end - at));
    }
  }
  return levels;
}

/** The frame to begin at, a moment before the first that can be heard; the number of frames where none can. */
function afterSilence(levels: Float32Array, from: number): number {
  let at = from;
  while (at < levels.length && (levels[at] as number) < SILENCE_DB) at += 1;
  return at === levels.length ? at : Math.max(from, at - LEAD_FRAMES);
}

/** The frame after the last that is no pause. */
function lastSound(levels: Float32Array, begin: number, end: number): number {
  const window = levels.subarray(begin, end);
  const limit = pauseLevel(window) ?? SILENCE_DB;
  return begin + window.findLastIndex((level) => level >= limit) + 1;
}

/** The middle of the pause to cut in, within 30 s of `begin`; undefined where nobody pauses. */
function cutAt(levels: Float32Array, begin: number): number | undefined {
  const window = levels.subarray(begin, begin + WINDOW_FRAMES);
  const limit = pauseLevel(window);
  if (limit === undefined) return undefined;
  const pauses = pausesBelow(window, limit).filter(({ start, end }) => end - start >= LEAST_PAUSE_FRAMES);
  for (const search of SEARCH_FRAMES) {
    const pause = best(pauses.filter(({ end }) => end >= WINDOW_FRAMES - search));
    if (pause !== undefined) return begin + Math.floor((pause.start + pause.end) / 2);
  }
  return undefined;
}

interface Pause {
  readonly start: number;
  readonly end: number;
}

function best(pauses: readonly Pause[]): Pause | undefined {
  let chosen: Pause | undefined;
  let most = -Infinity;
  for (const pause of pauses) {
    const score = Math.min(pause.end - pause.start, LONG_PAUSE_FRAMES) + LATENESS * pause.end;
    if (score < most) continue;
    most = score;
    chosen = pause;
  }
  return chosen;
}

/**
 * What is quieter is a pause: 30 dB below the loud frames, or a little above the noise between words where that is louder. Undefined
 * where quiet and loud hardly differ: that is no speech with pauses.
 */
function pauseLevel(window: Float32Array): number | undefined {
  const sorted = Float32Array.from(window).sort();
  const quiet = sorted[Math.floor(sorted.length * 0.05)] as number;
  const loud = sorted[Math.floor(sorted.length * 0.95)] as number;
  const limit = Math.max(quiet + 6, loud - 30);
  return limit <= loud - 12 ? limit : undefined;
}

function pausesBelow(window: Float32Array, limit: number): Pause[] {
  const pauses: Pause[] = [];
  let start: number | undefined;
  for (let at = 0; at <= window.length; at += 1) {
    const quiet = at < window.length && (window[at] as number) < limit;
    if (quiet) start ??= at;
    else if (start !== undefined) {
      pauses.push({ start, end: at });
      start = undefined;
    }
  }
  return pauses;
}
