import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What both demo apps do: they add the whole numbers from `start` to `end`, one a step, and remember how far they are. */

const MACHINE = process.env.SALAD_MACHINE_ID ?? 'local';

/** The two numbers of an input file, one a line; undefined if there is no such file, or it holds nothing to add. */
export async function readInput(file) {
  const numbers = await readNumbers(file);
  return numbers === undefined || numbers[0] > numbers[1] ? undefined : { start: numbers[0], end: numbers[1] };
}

/** The last finished step and its sum; undefined if the job is to begin at its first step. */
export async function readState(file) {
  const numbers = await readNumbers(file);
  return numbers === undefined ? undefined : { step: numbers[0], sum: numbers[1] };
}

async function readNumbers(file) {
  const text = await readFile(file, 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const match = /^\s*(-?\d+)\s*\n\s*(-?\d+)\s*$/.exec(text);
  return match === null ? undefined : [BigInt(match[1]), BigInt(match[2])];
}

/** A line of `logs.txt`. */
export function logLine(text) {
  const time = new Date().toISOString().slice(0, 19).replace('T', ' ');
  const line = `UTC Time: ${time} - Machine ID: ${MACHINE} - ${text}`;
  console.log(line);
  return `${line}\n`;
}

export function beginLine() {
  const node = { host: os.hostname(), cpus: os.cpus().length, memory_mb: Math.round(os.totalmem() / 2 ** 20) };
  return logLine(`Begin processing the job - ${JSON.stringify(node)}`);
}

/**
 * Adds from the step after `state` on. Calls `save` with the state when so many seconds have passed since it did, and when it is stopped. Returns the sum;
 * undefined if it was stopped.
 */
export async function addAll({ start, end }, state, { stepSeconds, saveSeconds, save, stop }) {
  // A state of another input is none.
  const isOurs = state !== undefined && state.step >= start && state.step <= end;
  let { step, sum } = isOurs ? state : { step: start - 1n, sum: 0n };
  let savedAt = performance.now();
  while (step < end) {
    await sleep(stepSeconds * 1000, undefined, { signal: stop }).catch(() => undefined);
    const isDue = performance.now() - savedAt >= saveSeconds * 1000;
    if (stop.aborted || (isDue && step >= start)) {
      if (step >= start) await save({ step, sum });
      savedAt = performance.now();
    }
    if (stop.aborted) return undefined;
    step += 1n;
    sum += step;
  }
  return sum;
}

/** How much of a whole is done, in per cent with two decimals. */
export function percent(done, whole) {
  return whole === 0n ? '100.00' : ((Number(done) / Number(whole)) * 100).toFixed(2);
}

/** Writes a file whole, from outside its folder: whoever watches the folder must not find half of it. */
export async function writeWhole(file, text) {
  const beside = `${path.dirname(file)}.writing`;
  await mkdir(beside, { recursive: true });
  const written = path.join(beside, path.basename(file));
  await writeFile(written, text, { flush: true });
  await rename(written, file);
}

/** Aborted by SIGINT, which is how Kelpie cancels a job. */
export function stopSignal() {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  return stop.signal;
}

/** Ends this process by SIGINT itself: an exit code would be reported, 0 as a completed job and any other as a failed one. */
export function endBySigint() {
  process.removeAllListeners('SIGINT');
  process.kill(process.pid, 'SIGINT');
}
