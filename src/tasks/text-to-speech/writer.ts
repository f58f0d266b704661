import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { ServerError } from '../../errors.ts';
import { FORMAT_FACTS, wavHeader, type Format } from './formats.ts';

/** Takes the samples of a text, sentence by sentence, and gives audio in a format as soon as it is written. */
export interface AudioWriter {
  /** Takes samples in order; `isLast` tells that nothing follows. */
  write(pcm: readonly Uint8Array[], isLast: boolean): void;
  /** Resolves once all bytes are given. Throws DEADLINE_EXCEEDED, CANCELLED. */
  end(): Promise<void>;
  /** Frees what it holds; the rest is not wanted. */
  close(): void;
}

export interface WriterParts {
  readonly format: Format;
  readonly rateHz: number;
  readonly onBytes: (bytes: Uint8Array) => void;
  /** What is left of the request's time. */
  readonly leftMs: () => number;
  readonly onLeave: (callback: () => void) => () => void;
  /** The program in place of ffmpeg, in tests. */
  readonly command?: string | undefined;
}

export function openWriter(parts: WriterParts): AudioWriter {
  const { ffmpeg } = FORMAT_FACTS[parts.format];
  return ffmpeg === undefined ? new PlainWriter(parts) : new FfmpegWriter(parts, ffmpeg);
}

/** Bare samples, or those behind the header of a WAV. */
class PlainWriter implements AudioWriter {
  readonly #parts: WriterParts;
  #hasBegun = false;

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  write(pcm: readonly Uint8Array[], isLast: boolean): void {
    const { format, rateHz, onBytes } = this.#parts;
    const isFirst = !this.#hasBegun;
    this.#hasBegun = true;
    const bytes = pcm.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (isFirst && format === 'wav') onBytes(wavHeader(rateHz, isLast ? bytes : undefined));
    for (const piece of pcm) onBytes(piece);
  }

  end(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    // It holds nothing.
  }
}

/** ffmpeg as a child process between two pipes, which reads nothing else. */
class FfmpegWriter implements AudioWriter {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #closed: Promise<void>;
  readonly #late: NodeJS.Timeout;
  readonly #stay: () => void;
  #failure: Error | undefined;

  constructor({ rateHz, onBytes, leftMs, onLeave, command = 'ffmpeg' }: WriterParts, output: readonly string[]) {
    const input = ['-f', 's16le', '-ar', String(rateHz), '-ac', '1', '-i', 'pipe:0'];
    this.#child = spawn(
      command,
      [
        ...['-nostdin', '-hide_banner', '-loglevel', 'error', '-threads', '1', '-protocol_whitelist', 'pipe'],
        ...['-probesize', '32', '-analyzeduration', '0', ...input],
        ...['-map_metadata', '-1', '-flush_packets', '1', ...output, 'pipe:1'],
      ],
      { stdio: ['pipe', 'pipe', 'ignore'] },
    );
    this.#late = setTimeout(() => this.#stop(new ServerError('DEADLINE_EXCEEDED')), leftMs());
    this.#stay = onLeave(() => this.#stop(new ServerError('CANCELLED')));
    this.#child.stdin.on('error', () => undefined);
    this.#child.stdout.on('data', onBytes);
    this.#closed = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code) => {
        if (code === 0) resolve();
        else reject(this.#failure ?? new Error(`ffmpeg ended with ${code === null ? 'a signal' : `code ${code}`}`));
      });
    });
    this.#closed.catch(() => undefined);
  }

  write(pcm: readonly Uint8Array[]): void {
    for (const piece of pcm) this.#child.stdin.write(piece);
  }

  async end(): Promise<void> {
    this.#child.stdin.end();
    await this.#closed;
  }

  close(): void {
    clearTimeout(this.#late);
    this.#stay();
    this.#child.kill('SIGKILL');
  }

  #stop(error: Error): void {
    this.#failure ??= error;
    this.#child.kill('SIGKILL');
  }
}

let encoders: Promise<ReadonlySet<string>> | undefined;

/** Which formats this server can write: those of ffmpeg with their encoder where it is installed. */
export async function writableFormats(): Promise<(format: Format) => boolean> {
  encoders ??= ffmpegEncoders();
  const known = await encoders;
  return (format) => {
    const encoder = FORMAT_FACTS[format].ffmpeg?.[1];
    return encoder === undefined || known.has(encoder);
  };
}

const PROBE_MS = 10_000;

function ffmpegEncoders(): Promise<ReadonlySet<string>> {
  return new Promise((resolve) => {
    const child = spawn('ffmpeg', ['-nostdin', '-hide_banner', '-loglevel', 'error', '-encoders'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: PROBE_MS,
      killSignal: 'SIGKILL',
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    child.on('error', () => resolve(new Set()));
    child.on('close', () => resolve(new Set([...text.matchAll(/^ A\S* +(\S+)/gm)].map(([, name = '']) => name))));
  });
}
