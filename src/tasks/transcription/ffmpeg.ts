import { spawn } from 'node:child_process';
import { ServerError, toServerError } from '../../errors.ts';
import { SAMPLE_RATE_HZ } from './log-mel.ts';
import { PcmWriter, type Pcm } from './pcm.ts';

/** Containers that a listener sends. Playlists and the like are not among them: they name other files for ffmpeg to open. */
const CONTAINERS =
  'aac,ac3,adts,aiff,amr,amrnb,amrwb,asf,au,avi,caf,eac3,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,mpegts,ogg,opus,w64,wav';

/** `cache:` lets ffmpeg seek in what comes through the pipe: an MP4 may have its table of contents at the end. */
const ARGUMENTS = [
  ...['-nostdin', '-hide_banner', '-loglevel', 'error', '-threads', '1'],
  ...['-protocol_whitelist', 'cache,pipe', '-format_whitelist', CONTAINERS, '-i', 'cache:pipe:0'],
  ...['-map', '0:a:0', '-ac', '1', '-ar', String(SAMPLE_RATE_HZ), '-f', 's16le', 'pipe:1'],
];

export interface FfmpegLimits {
  readonly maxSeconds: number;
  readonly timeoutMs: number;
  /** True once nobody waits for the audio any more. */
  readonly isLeft: () => boolean;
  /** The program; another one in tests. */
  readonly command?: string;
}

const LOOK_MS = 200;

/**
 * Audio of any kind through ffmpeg, as a child process between two pipes. Throws UNSUPPORTED_MEDIA_TYPE where there is no ffmpeg,
 * INVALID_INPUT on what it cannot decode, TOO_LARGE, DEADLINE_EXCEEDED, CANCELLED.
 */
export function decodeWithFfmpeg(bytes: Uint8Array, limits: FfmpegLimits): Promise<Pcm> {
  return new Promise((resolve, reject) => {
    const child = spawn(limits.command ?? 'ffmpeg', ARGUMENTS, { stdio: ['pipe', 'pipe', 'ignore'] });
    const writer = new PcmWriter(limits.maxSeconds);
    let rest: Buffer = Buffer.alloc(0);
    let failure: Error | undefined;
    const stop = (error: Error): void => {
      failure ??= error;
      child.kill('SIGKILL');
    };
    const late = setTimeout(() => stop(new ServerError('DEADLINE_EXCEEDED')), limits.timeoutMs);
    const look = setInterval(() => {
      if (limits.isLeft()) stop(new ServerError('CANCELLED'));
    }, LOOK_MS);
    const done = (error: Error | undefined): void => {
      clearTimeout(late);
      clearInterval(look);
      if (error === undefined) resolve(writer.finish());
      else reject(error);
    };
    child.stdout.on('data', (chunk: Buffer) => {
      try {
        rest = writeBytes(writer, rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]));
      } catch (error) {
        stop(toServerError(error));
      }
    });
    // It may stop reading before the end; what that means, its exit tells.
    child.stdin.on('error', () => undefined);
    child.stdin.end(bytes);
    child.on('error', (error) => done(failure ?? missing(error)));
    child.on('close', (code) => {
      if (failure !== undefined) done(failure);
      else if (code === 0) done(undefined);
      else done(new ServerError('INVALID_INPUT', 'The audio could not be decoded.'));
    });
  });
}

/** Writes whole samples; gives back the odd byte. */
function writeBytes(writer: PcmWriter, bytes: Buffer): Buffer {
  const even = bytes.byteLength - (bytes.byteLength % 2);
  writer.writeWhole(new Int16Array(Uint8Array.prototype.slice.call(bytes, 0, even).buffer));
  return bytes.subarray(even);
}

function missing(error: Error): Error {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return error;
  return new ServerError(
    'UNSUPPORTED_MEDIA_TYPE',
    'This server takes WAV audio (PCM or float); other formats need ffmpeg, which is not installed on it.',
  );
}
