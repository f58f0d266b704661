import { spawn, type ChildProcess } from 'node:child_process';
import { ServerError } from '../../errors.ts';
import { SAMPLE_RATE_HZ } from './log-mel.ts';

/** Containers that are accepted. Playlists and the like are not: they name other files for ffmpeg to open. */
const CONTAINERS =
  'aac,ac3,adts,aiff,amr,amrnb,amrwb,asf,au,avi,caf,eac3,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,mpegts,ogg,opus,w64,wav';

/**
 * `cache:` lets ffmpeg seek in what comes through the pipe, as an MP4 may have its table of contents at the end: as recorders of telephones write it. Of itself
 * it goes no further ahead than 64 KiB.
 */
const INPUT = [
  ...['-nostdin', '-hide_banner', '-loglevel', 'error', '-threads', '1'],
  ...['-protocol_whitelist', 'cache,pipe', '-format_whitelist', CONTAINERS],
  ...['-read_ahead_limit', '-1', '-i', 'cache:pipe:0', '-map', '0:a:0'],
];
const SAMPLES = [...INPUT, '-ac', '1', '-f', 's16le'];
/** Counting packets instead of decoding takes half a second for four hours of MP3. */
const LENGTH = [...INPUT, '-c', 'copy', '-f', 'null', '-progress', 'pipe:1', '-'];

export interface FfmpegLimits {
  /** What is left of the request's time, in which all of it is to be read; asked when the child starts. */
  readonly leftMs: () => number;
  /** Calls back once the audio is no longer awaited, until the returned function is called. */
  readonly onLeave: (callback: () => void) => () => void;
  /** Of the samples; default: 16 kHz. */
  readonly rateHz?: number;
  /** The program; another one in tests. */
  readonly command?: string;
}

/** How long the audio is, in seconds, by its packets. Throws as `decodeWithFfmpeg`. */
export async function lengthByFfmpeg(bytes: Uint8Array, limits: FfmpegLimits): Promise<number> {
  let text = '';
  for await (const chunk of run(LENGTH, bytes, limits)) text = (text + chunk.toString('latin1')).slice(-MOST_PROGRESS);
  const microseconds = [...text.matchAll(/^out_time_us=(\d+)$/gm)].at(-1)?.[1];
  return Number(microseconds ?? 0) / 1e6;
}

const MOST_PROGRESS = 4096;

/**
 * Mono samples of audio of any kind by ffmpeg as a child process between two pipes: it decodes as fast as they are read, and ends with
 * its reader. Throws UNSUPPORTED_MEDIA_TYPE where there is no ffmpeg, INVALID_INPUT on what it cannot decode, DEADLINE_EXCEEDED, CANCELLED.
 */
export async function* decodeWithFfmpeg(bytes: Uint8Array, limits: FfmpegLimits): AsyncGenerator<Int16Array> {
  let rest: Buffer = Buffer.alloc(0);
  const args = [...SAMPLES, '-ar', String(limits.rateHz ?? SAMPLE_RATE_HZ), 'pipe:1'];
  for await (const chunk of run(args, bytes, limits)) {
    const whole = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    const even = whole.byteLength - (whole.byteLength % 2);
    // A copy is aligned.
    yield new Int16Array(Uint8Array.prototype.slice.call(whole, 0, even).buffer);
    rest = whole.subarray(even);
  }
}

/** The output of ffmpeg, read no faster than it is asked for. */
async function* run(
  args: readonly string[],
  bytes: Uint8Array,
  { leftMs, onLeave, command = 'ffmpeg' }: FfmpegLimits,
): AsyncGenerator<Buffer> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  let failure: Error | undefined;
  const stop = (error: Error): void => {
    failure ??= error;
    child.kill('SIGKILL');
  };
  const late = setTimeout(() => stop(new ServerError('DEADLINE_EXCEEDED')), leftMs());
  const stay = onLeave(() => stop(new ServerError('CANCELLED')));
  const closed = exitOf(child);
  // It may stop reading before the end; its exit code tells whether that is an error.
  child.stdin.on('error', () => undefined);
  child.stdin.end(bytes);
  try {
    yield* child.stdout as AsyncIterable<Buffer>;
    const code = await closed;
    if (failure !== undefined) throw failure;
    if (code !== 0) throw new ServerError('INVALID_INPUT', 'The audio could not be decoded.');
  } catch (error) {
    throw failure ?? error;
  } finally {
    clearTimeout(late);
    stay();
    child.kill('SIGKILL');
    closed.catch(() => undefined);
  }
}

/** Its exit code, once all of its output is read. */
function exitOf(child: ChildProcess): Promise<number | null> {
  const closed = new Promise<number | null>((resolve, reject) => {
    child.on('error', (error) => reject(missing(error)));
    child.on('close', resolve);
  });
  closed.catch(() => undefined);
  return closed;
}

function missing(error: Error): Error {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return error;
  return new ServerError(
    'UNSUPPORTED_MEDIA_TYPE',
    'This server takes WAV audio (PCM or float); other formats need ffmpeg, which is not installed on it.',
  );
}
