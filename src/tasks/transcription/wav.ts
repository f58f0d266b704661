import { ServerError } from '../../errors.ts';

/** Where a WAV's samples are and how they are stored. */
export interface WavLayout {
  readonly encoding: 'integer' | 'float';
  /** Bytes of one sample of one channel. */
  readonly width: 1 | 2 | 3 | 4 | 8;
  readonly channels: number;
  readonly rateHz: number;
  readonly dataStart: number;
  readonly frames: number;
}

const PCM = 1;
const IEEE_FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const MOST_CHANNELS = 64;
const LEAST_RATE_HZ = 1_000;
const MOST_RATE_HZ = 768_000;

/** Whether bytes are a RIFF WAVE (or its 64-bit form). */
export function isWav(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(12, bytes.byteLength)).toString('latin1');
  return /^R(?:IFF|F64)[^]{4}WAVE$/.test(text);
}

/** Most chunks before the sound; no recorder writes nearly as many. */
const MOST_CHUNKS = 1000;

/**
 * Reads a WAV's header (Microsoft, Multimedia Programming Interface 1.0; WAVE_FORMAT_EXTENSIBLE). Sizes are not trusted: nothing beyond the
 * file's end is read, and a data size of 0 or 0xFFFFFFFF, as streaming recorders write it, means the rest of the file. Undefined: compressed audio in a WAV.
 * Throws INVALID_INPUT on a header that makes no sense.
 */
export function readWav(bytes: Uint8Array): WavLayout | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: Format | undefined;
  let at = 12;
  for (let chunk = 0; chunk < MOST_CHUNKS && at + 8 <= bytes.byteLength; chunk += 1) {
    const id = Buffer.from(bytes.subarray(at, at + 4)).toString('latin1');
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    const rest = bytes.byteLength - start;
    if (id === 'fmt ') format = readFormat(new DataView(bytes.buffer, bytes.byteOffset + start, Math.min(size, rest)));
    if (id === 'data') {
      if (format === undefined) throw bad('it has no format before its data');
      if (format === 'compressed') return undefined;
      const length = size === 0 ? rest : Math.min(size, rest);
      return { ...format, dataStart: start, frames: Math.floor(length / (format.width * format.channels)) };
    }
    at = start + size + (size % 2);
  }
  throw bad('it has no data');
}

type Format = 'compressed' | Omit<WavLayout, 'dataStart' | 'frames'>;

function readFormat(view: DataView): Format {
  if (view.byteLength < 16) throw bad('its format is cut short');
  const tag = view.getUint16(0, true);
  const extended = tag === EXTENSIBLE;
  if (extended && view.byteLength < 26) throw bad('its format is cut short');
  const kind = extended ? view.getUint16(24, true) : tag;
  if (kind !== PCM && kind !== IEEE_FLOAT) return 'compressed';
  const channels = view.getUint16(2, true);
  const rateHz = view.getUint32(4, true);
  const frameBytes = view.getUint16(12, true);
  const width = Math.ceil(view.getUint16(14, true) / 8);
  if (channels < 1 || channels > MOST_CHANNELS) throw bad(`it has ${channels} channels`);
  if (rateHz < LEAST_RATE_HZ || rateHz > MOST_RATE_HZ) throw bad(`its sample rate is ${rateHz} Hz`);
  const encoding = kind === PCM ? 'integer' : 'float';
  if (!isWidth(width, encoding)) throw bad(`its samples have ${view.getUint16(14, true)} bits`);
  if (frameBytes !== width * channels) throw bad('its block size does not fit its channels and bits');
  return { encoding, width, channels, rateHz };
}

function isWidth(width: number, encoding: WavLayout['encoding']): width is WavLayout['width'] {
  return encoding === 'float' ? width === 4 || width === 8 : width >= 1 && width <= 4;
}

/** Frames from `start` as the mean of their channels, from -1 to 1. */
export function readFrames(
  bytes: Uint8Array,
  layout: WavLayout,
  { start, count }: { start: number; count: number },
): Float32Array {
  const { width, channels, dataStart } = layout;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = READERS[layout.encoding][width];
  const mono = new Float32Array(count);
  let at = dataStart + start * width * channels;
  for (let frame = 0; frame < count; frame += 1) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel += 1, at += width) sum += read(view, at);
    mono[frame] = sum / channels;
  }
  return mono;
}

type Reader = (view: DataView, at: number) => number;
const unreadable: Reader = () => NaN;

/** 8-bit samples are unsigned, wider ones signed; all little-endian. */
const READERS: Readonly<Record<WavLayout['encoding'], Readonly<Record<WavLayout['width'], Reader>>>> = {
  integer: {
    1: (view, at) => (view.getUint8(at) - 128) / 128,
    2: (view, at) => view.getInt16(at, true) / 32_768,
    3: (view, at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 8_388_608,
    4: (view, at) => view.getInt32(at, true) / 2_147_483_648,
    8: unreadable,
  },
  float: {
    1: unreadable,
    2: unreadable,
    3: unreadable,
    4: (view, at) => view.getFloat32(at, true),
    8: (view, at) => view.getFloat64(at, true),
  },
};

function bad(why: string): ServerError {
  return new ServerError('INVALID_INPUT', `The WAV file cannot be read: ${why}.`);
}
