import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ServerError } from '../../../src/errors.ts';
import { readPcm, toInt16, type Pcm } from '../../../src/tasks/transcription/pcm.ts';
import { Resampler } from '../../../src/tasks/transcription/resampler.ts';
import { isWav, readFrames, readWav } from '../../../src/tasks/transcription/wav.ts';
import { readWavPart } from '../../../src/tasks/transcription/wav-part.ts';
import { refusal } from '../support.ts';
import { decodeAudio, wavOf } from './support.ts';

const LIMITS = { maxSeconds: 60 };

function all(pcm: Pcm): number[] {
  return [...readPcm(pcm, 0, pcm.samples)];
}

interface Form {
  readonly tag: number;
  readonly bits: number;
  readonly channels?: number;
  readonly rateHz?: number;
  readonly extensible?: boolean;
  readonly frameBytes?: number;
  readonly dataSize?: number;
}

/** A WAV of the given form around data, with a chunk before it that is to be skipped. */
function wav(data: Uint8Array, { tag, bits, channels = 1, rateHz = 16_000, ...more }: Form): Uint8Array {
  const { extensible = false, frameBytes = channels * Math.ceil(bits / 8), dataSize = data.byteLength } = more;
  const format = new DataView(new ArrayBuffer(extensible ? 40 : 16));
  format.setUint16(0, extensible ? 0xfffe : tag, true);
  format.setUint16(2, channels, true);
  format.setUint32(4, rateHz, true);
  format.setUint32(8, rateHz * frameBytes, true);
  format.setUint16(12, frameBytes, true);
  format.setUint16(14, bits, true);
  if (extensible) format.setUint16(24, tag, true);
  const size = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);
  return new Uint8Array(
    Buffer.concat([
      Buffer.from('RIFF\x00\x00\x00\x00WAVELIST\x03\x00\x00\x00abc\x00fmt ', 'latin1'),
      size(format.byteLength),
      new Uint8Array(format.buffer),
      Buffer.from('data'),
      size(dataSize),
      data,
    ]),
  );
}

function bytesOf(values: readonly number[], write: (view: DataView, at: number, value: number) => void, width: number) {
  const view = new DataView(new ArrayBuffer(values.length * width));
  for (const [index, value] of values.entries()) write(view, index * width, value);
  return new Uint8Array(view.buffer);
}

const HALVES = [0, 0.5, -0.5, -1];
const ENCODINGS: Readonly<Record<string, [Form, Uint8Array]>> = {
  'unsigned 8 bit': [{ tag: 1, bits: 8 }, Uint8Array.of(128, 192, 64, 0)],
  '16 bit': [{ tag: 1, bits: 16 }, bytesOf(HALVES, (view, at, v) => view.setInt16(at, v * 2 ** 15, true), 2)],
  '24 bit': [
    { tag: 1, bits: 24 },
    bytesOf(
      HALVES,
      (view, at, v) => {
        view.setInt16(at, 0, true);
        view.setInt8(at + 2, v * 128);
      },
      3,
    ),
  ],
  '20 bits in 24': [
    { tag: 1, bits: 20, extensible: true },
    bytesOf(HALVES, (view, at, v) => view.setInt8(at + 2, v * 128), 3),
  ],
  '32 bit': [{ tag: 1, bits: 32 }, bytesOf(HALVES, (view, at, v) => view.setInt32(at, v * 2 ** 31, true), 4)],
  float32: [{ tag: 3, bits: 32 }, bytesOf(HALVES, (view, at, v) => view.setFloat32(at, v, true), 4)],
  float64: [{ tag: 3, bits: 64, extensible: true }, bytesOf(HALVES, (view, at, v) => view.setFloat64(at, v, true), 8)],
};

for (const [name, [form, data]] of Object.entries(ENCODINGS)) {
  test(`WAV samples are read: ${name}`, async () => {
    assert.deepEqual(all(await decodeAudio(wav(data, form), LIMITS)), HALVES);
  });
}

test('channels are mixed to their mean', async () => {
  const data = bytesOf([0.5, -0.5, 1, 0.5], (view, at, v) => view.setFloat32(at, v, true), 4);
  assert.deepEqual(all(await decodeAudio(wav(data, { tag: 3, bits: 32, channels: 2 }), LIMITS)), [0, 0.75]);
});

test('samples beyond full scale are clipped and NaN is silence', async () => {
  const data = bytesOf([7, -7, NaN, Infinity], (view, at, v) => view.setFloat32(at, v, true), 4);
  const pcm = all(await decodeAudio(wav(data, { tag: 3, bits: 32 }), LIMITS));
  assert.deepEqual(pcm, [32_767 / 32_768, -1, 0, 32_767 / 32_768]);
});

test('a wrong data size is cut to the file; a streamed one means all of it', async () => {
  const data = Uint8Array.of(0, 64, 0, 192, 99);
  for (const dataSize of [1000, 0xffffffff, 0]) {
    const pcm = await decodeAudio(wav(data, { tag: 1, bits: 16, dataSize }), LIMITS);
    assert.deepEqual(all(pcm), [0.5, -0.5], String(dataSize));
  }
});

test('headers that make no sense are refused, saying why', async () => {
  const data = new Uint8Array(64);
  const cases: [Form, RegExp][] = [
    [{ tag: 1, bits: 16, channels: 0 }, /0 channels/],
    [{ tag: 1, bits: 16, channels: 9000 }, /9000 channels/],
    [{ tag: 1, bits: 16, rateHz: 0 }, /0 Hz/],
    [{ tag: 1, bits: 16, rateHz: 4_000_000_000 }, /4000000000 Hz/],
    [{ tag: 1, bits: 0 }, /0 bits/],
    [{ tag: 3, bits: 16 }, /16 bits/],
    [{ tag: 1, bits: 16, frameBytes: 7 }, /block size/],
  ];
  for (const [form, why] of cases)
    await assert.rejects(decodeAudio(wav(data, form), LIMITS), refusal('INVALID_INPUT', why));
});

test('audio without samples is refused', async () => {
  const silent: Uint8Array[] = [new Uint8Array(0), wavOf(new Int16Array(0)), wavOf(new Int16Array(1)).slice(0, 45)];
  for (const bytes of silent) await assert.rejects(decodeAudio(bytes, LIMITS), refusal('INVALID_INPUT'));
});

test('audio longer than the limit is refused', async () => {
  const bytes = wavOf(new Int16Array(16_001));
  await assert.rejects(decodeAudio(bytes, { ...LIMITS, maxSeconds: 1 }), refusal('TOO_LARGE', /1 s/));
});

test('compressed audio in a WAV is left to ffmpeg', () => {
  assert.equal(readWav(wav(new Uint8Array(8), { tag: 0x55, bits: 16 })), undefined);
});

test('no header, however broken, gives anything but samples or a clear refusal', () => {
  const valid = wav(new Uint8Array(40), { tag: 1, bits: 16 });
  const broken = fc
    .array(fc.tuple(fc.nat(valid.byteLength - 1), fc.nat(255)), { maxLength: 8 })
    .chain((changes) => fc.nat(valid.byteLength).map((length) => ({ changes, length })));
  fc.assert(
    fc.property(broken, ({ changes, length }) => {
      const bytes = valid.slice();
      for (const [at, value] of changes) bytes[at] = value;
      const cut = bytes.slice(0, length);
      if (!isWav(cut)) return;
      try {
        const layout = readWav(cut);
        if (layout === undefined) return;
        const frames = readFrames(cut, layout, { start: 0, count: layout.frames });
        assert.equal(frames.length, layout.frames);
      } catch (error) {
        assert.ok(error instanceof ServerError && error.code === 'INVALID_INPUT', String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('a WAV that is read in parts has the samples that it has as a whole, whatever its rate', () => {
  for (const rateHz of [8000, 16_000, 22_050, 44_100, 47_999]) {
    const noise = Int16Array.from({ length: 5 * rateHz + 77 }, (_, at) => ((at * 7919) % 20_000) - 10_000);
    const audio = wavOf(noise, rateHz);
    const layout = readWav(audio);
    assert.ok(layout !== undefined);
    const frames = readFrames(audio, layout, { start: 0, count: layout.frames });
    const resampler = new Resampler(rateHz, 16_000);
    const whole =
      rateHz === 16_000 ? toInt16(frames) : toInt16(Float32Array.of(...resampler.push(frames), ...resampler.flush()));
    const parts = [0, 2, 4].map((fromSecond) => readWavPart({ audio, layout, rateHz: 16_000, fromSecond, seconds: 2 }));
    assert.deepEqual(Int16Array.of(...parts.flatMap((part) => [...part])), whole, String(rateHz));
  }
});
