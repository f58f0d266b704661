import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { decodeWithFfmpeg, lengthByFfmpeg } from '../../../src/tasks/transcription/ffmpeg.ts';
import { refusal } from '../support.ts';
import { decodeAudio, wavOf } from './support.ts';

const LIMITS = { leftMs: () => 20_000, onLeave: () => () => undefined };
const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
const skip = hasFfmpeg ? false : 'ffmpeg is not installed';

test('without ffmpeg, audio that is no WAV is refused as a media type, saying what is missing', async () => {
  const limits = { ...LIMITS, command: 'no-such-program-ffmpeg' };
  await assert.rejects(
    decodeWithFfmpeg(new Uint8Array(1000), limits).next(),
    refusal('UNSUPPORTED_MEDIA_TYPE', /need ffmpeg/),
  );
});

describe('with ffmpeg', { skip }, () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'carpool-ffmpeg-'));
    const tone = Int16Array.from({ length: 32_000 }, (_, at) => 9000 * Math.sin((2 * Math.PI * 440 * at) / 16_000));
    await writeFile(join(folder, 'tone.wav'), wavOf(tone));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function encoded(name: string, from = 'tone.wav', options: readonly string[] = []): Promise<Uint8Array> {
    const made = spawnSync('ffmpeg', ['-v', 'error', '-i', join(folder, from), ...options, '-y', join(folder, name)]);
    assert.equal(made.status, 0, made.stderr.toString());
    return new Uint8Array(await readFile(join(folder, name)));
  }

  // MP4 without +faststart has its table of contents after the audio.
  for (const name of ['tone.flac', 'tone.mp3', 'tone.ogg', 'tone.m4a', 'tone.mp4', 'tone.mkv', 'tone.aiff'])
    test(`${name} is decoded`, async () => {
      const pcm = await decodeAudio(await encoded(name), LIMITS);
      assert.ok(Math.abs(pcm.samples - 32_000) < 3000, `${pcm.samples} samples`);
      const seconds = await lengthByFfmpeg(await encoded(name), LIMITS);
      assert.ok(Math.abs(seconds - 2) < 0.2, `${seconds} s`);
    });

  test('a long MP4 is decoded, whose table of contents is far behind its beginning', async () => {
    const noise = Int16Array.from({ length: 30 * 16_000 }, (_, at) => 20_000 * Math.sin(at * at));
    await writeFile(join(folder, 'noise.wav'), wavOf(noise));
    const bytes = await encoded('noise.m4a', 'noise.wav', ['-ar', '48000', '-ac', '2', '-c:a', 'alac']);
    assert.ok(Buffer.from(bytes).indexOf('moov') > 1_000_000, 'ffmpeg puts it at the end');
    const pcm = await decodeAudio(bytes, LIMITS);
    assert.ok(Math.abs(pcm.samples - noise.length) < 3000, `${pcm.samples} samples`);
    const seconds = await lengthByFfmpeg(bytes, LIMITS);
    assert.ok(Math.abs(seconds - 30) < 0.2, `${seconds} s`);
  });

  test('bytes that are no audio are refused, and nothing of what ffmpeg says is shown', async () => {
    const junk = Buffer.from('this is not audio at all '.repeat(200));
    await assert.rejects(decodeAudio(junk, LIMITS), refusal('INVALID_INPUT', /^The audio could not be decoded\.$/));
  });

  test('a playlist cannot make ffmpeg open files of the server', async () => {
    const file = join(folder, 'tone.wav');
    for (const text of [
      `ffconcat version 1.0\nfile '${file}'\n`,
      `#EXTM3U\n#EXTINF:2,\nfile://${file}\n#EXT-X-ENDLIST\n`,
    ])
      await assert.rejects(decodeAudio(Buffer.from(text), LIMITS), refusal('INVALID_INPUT'));
  });

  test('audio longer than the limit is refused', async () => {
    await assert.rejects(decodeAudio(await encoded('tone.flac'), { ...LIMITS, maxSeconds: 1 }), refusal('TOO_LARGE'));
  });

  test('the child ends when it is no longer awaited, and when its time is up', async () => {
    // It reads its input for ever: `cat` does as little as a stuck ffmpeg, but takes no such arguments, so a script stands in.
    const stuck = join(folder, 'stuck');
    await writeFile(stuck, '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
    const limits = { ...LIMITS, command: stuck };
    const leave = (callback: () => void): (() => void) => {
      const timer = setTimeout(callback, 20);
      return () => clearTimeout(timer);
    };
    const left = decodeWithFfmpeg(new Uint8Array(10), { ...limits, onLeave: leave });
    await assert.rejects(left.next(), refusal('CANCELLED'));
    let leftMs = 60_000;
    const late = decodeWithFfmpeg(new Uint8Array(10), { ...limits, leftMs: () => leftMs });
    // Time passes before its reader begins.
    leftMs = 50;
    await assert.rejects(late.next(), refusal('DEADLINE_EXCEEDED'));
  });
});
