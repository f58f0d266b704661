/** Inputs for models whose example is a file, which a server does not hand out. */

const PICTURE_SIZE = 224;
const RATE_HZ = 16_000;
const TONE_SECONDS = 2;
const HEAD_BYTES = 44;

/** A PNG of 224 x 224 pixels. */
export async function noisePicture(): Promise<Buffer> {
  const { default: sharp } = await import('sharp');
  const pixels = Uint8Array.from({ length: PICTURE_SIZE * PICTURE_SIZE * 3 }, (_, index) => (index * 7919) % 251);
  const raw = { width: PICTURE_SIZE, height: PICTURE_SIZE, channels: 3 } as const;
  return sharp(pixels, { raw }).png().toBuffer();
}

/** Two seconds of a tone as WAV: 16 kHz, mono, 16 bits. */
export function tone(): Buffer {
  const samples = TONE_SECONDS * RATE_HZ;
  const bytes = Buffer.alloc(HEAD_BYTES + samples * 2);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(bytes.byteLength - 8, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(RATE_HZ, 24);
  bytes.writeUInt32LE(RATE_HZ * 2, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(samples * 2, 40);
  for (let index = 0; index < samples; index += 1)
    bytes.writeInt16LE(Math.round(8000 * Math.sin((2 * Math.PI * 440 * index) / RATE_HZ)), HEAD_BYTES + 2 * index);
  return bytes;
}
