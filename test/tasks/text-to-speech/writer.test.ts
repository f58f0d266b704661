import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { FORMATS, type Format } from '../../../src/tasks/text-to-speech/formats.ts';
import { openWriter, writableFormats, type WriterParts } from '../../../src/tasks/text-to-speech/writer.ts';
import { decodeWithFfmpeg } from '../../../src/tasks/transcription/ffmpeg.ts';
import { refusal } from '../support.ts';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
const skip = hasFfmpeg ? false : 'ffmpeg is not installed';
const LIMITS = { leftMs: () => 30_000, onLeave: () => () => undefined };
const HZ = 22_050;
/** A second of a tone. */
const PCM = new Uint8Array(
  Int16Array.from({ length: HZ }, (_, at) => 9000 * Math.sin((2 * Math.PI * 440 * at) / HZ)).buffer,
);

function open(format: Format, more: Partial<WriterParts> = {}) {
  const chunks: Uint8Array[] = [];
  const writer = openWriter({ format, rateHz: HZ, onBytes: (bytes) => void chunks.push(bytes), ...LIMITS, ...more });
  return { writer, chunks };
}

for (const format of FORMATS.filter((one) => one !== 'pcm'))
  test(`${format} in two parts can be read back`, { skip }, async (t) => {
    if (!(await writableFormats())(format)) {
      t.skip(`ffmpeg has no encoder for ${format}`);
      return;
    }
    const { writer, chunks } = open(format);
    writer.write([PCM], false);
    writer.write([PCM], true);
    await writer.end();
    writer.close();
    let samples = 0;
    let loudest = 0;
    for await (const some of decodeWithFfmpeg(new Uint8Array(Buffer.concat(chunks)), LIMITS)) {
      samples += some.length;
      loudest = some.reduce((most, value) => Math.max(most, value), loudest);
    }
    // Encoders add some padding.
    assert.ok(Math.abs(samples / 16_000 - 2) < 0.2, `${samples / 16_000} s`);
    assert.ok(loudest > 8000 && loudest < 10_500, String(loudest));
  });

test('bare samples go through as they are', async () => {
  const { writer, chunks } = open('pcm');
  writer.write([PCM], true);
  await writer.end();
  assert.equal(Buffer.compare(Buffer.concat(chunks), PCM), 0);
});

test('an encoder ends with its request: in time, with its client, or with an error of its own', async () => {
  // `cat` never ends by itself, as its input stays open.
  const stuck = { command: process.execPath };
  const late = open('mp3', { leftMs: () => 1, ...stuck });
  await assert.rejects(late.writer.end(), refusal('DEADLINE_EXCEEDED'));
  let leave = (): void => undefined;
  const onLeave = (callback: () => void) => {
    leave = callback;
    return () => undefined;
  };
  const left = open('mp3', { onLeave, ...stuck });
  const end = left.writer.end();
  leave();
  await assert.rejects(end, refusal('CANCELLED'));
  const gone = open('mp3', { command: 'no-such-program-ffmpeg' });
  gone.writer.write([PCM], true);
  await assert.rejects(gone.writer.end(), /ENOENT/);
  for (const { writer } of [late, left, gone]) writer.close();
});
