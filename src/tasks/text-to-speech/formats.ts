/** Formats of the audio that is given. */

export const FORMATS = ['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'] as const;
export type Format = (typeof FORMATS)[number];

interface FormatFacts {
  readonly contentType: string;
  /** Samples a second; default: those of the model. */
  readonly rateHz?: number;
  /** What ffmpeg is told to write it; absent: it needs none. */
  readonly ffmpeg?: readonly string[];
}

export const FORMAT_FACTS: Readonly<Record<Format, FormatFacts>> = {
  mp3: { contentType: 'audio/mpeg', ffmpeg: ['-c:a', 'libmp3lame', '-b:a', '96k', '-f', 'mp3'] },
  opus: {
    contentType: 'audio/ogg',
    ffmpeg: ['-c:a', 'libopus', '-b:a', '48k', '-page_duration', '200000', '-f', 'ogg'],
  },
  aac: { contentType: 'audio/aac', ffmpeg: ['-c:a', 'aac', '-b:a', '96k', '-f', 'adts'] },
  flac: { contentType: 'audio/flac', ffmpeg: ['-c:a', 'flac', '-f', 'flac'] },
  wav: { contentType: 'audio/wav' },
  // OpenAI's.
  pcm: { contentType: 'audio/pcm', rateHz: 24_000 },
};

const HEADER_BYTES = 44;
const PCM = 1;
/** What recorders write that do not know the length yet. */
const UNKNOWN = 0xffffffff;

/** The header of a WAV of 16 bits, mono; without a length, for audio whose end is not known yet. */
export function wavHeader(rateHz: number, dataBytes?: number): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(dataBytes === undefined ? UNKNOWN : HEADER_BYTES - 8 + dataBytes, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(PCM, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rateHz, 24);
  header.writeUInt32LE(rateHz * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(dataBytes ?? UNKNOWN, 40);
  return new Uint8Array(header);
}
