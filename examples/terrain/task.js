import { deflateSync } from 'node:zlib';

/**
 * `{"difficulty": 40, "seed": 7}` to a picture of terrain, a PNG of 16-bit grey; with `"format": "heights"` to metres, as float32 in
 * little-endian rows. The model makes terrain of noise in one step (sigma 80), and equal noise makes equal terrain.
 */

const SIDE = 128;
const SIGMA = 80;
/** Values of -1 to 1 are grey levels; a grey level of 0 to 1 is a height in metres on a sinh scale. */
const STEEPNESS = Math.asinh(221.6864);
const METRES = 0.1;

export function prepare(item) {
  const { difficulty, seed = 0, format = 'png' } = item.value ?? {};
  if (typeof difficulty !== 'number' || !(difficulty >= 1 && difficulty <= 100))
    throw refusal('difficulty must be a number from 1 to 100.');
  if (!Number.isSafeInteger(seed) || seed < 0) throw refusal('seed must be a whole number, not below 0.');
  if (format !== 'png' && format !== 'heights') throw refusal('format must be "png" or "heights".');
  const next = normalNumbers(seed);
  return {
    inputs: {
      noisy: { data: Float32Array.from({ length: SIDE * SIDE }, () => SIGMA * next()), shape: [1, 1, SIDE, SIDE] },
      sigma: { data: [SIGMA], shape: [1] },
      difficulty: { data: [(difficulty - 1) / 99], shape: [1] },
    },
    memo: { format },
  };
}

export function finish(outputs, context, { format }) {
  const levels = Float32Array.from(outputs.denoised.data, (value) => Math.min(Math.max((value + 1) / 2, 0), 1));
  if (format === 'png') return { contentType: 'image/png', bytes: greyPng(levels) };
  const bytes = new Uint8Array(levels.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [at, level] of levels.entries()) view.setFloat32(at * 4, METRES * Math.sinh(level * STEEPNESS), true);
  return { contentType: 'application/octet-stream', bytes };
}

function refusal(message) {
  return Object.assign(new Error(message), { status: 422 });
}

/** Standard normal numbers from a seed: SplitMix64 (Steele et al. 2014) and Box and Muller's transform. */
function normalNumbers(seed) {
  let state = BigInt(seed);
  const uniform = () => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let word = state;
    word = BigInt.asUintN(64, (word ^ (word >> 30n)) * 0xbf58476d1ce4e5b9n);
    word = BigInt.asUintN(64, (word ^ (word >> 27n)) * 0x94d049bb133111ebn);
    return Number((word ^ (word >> 31n)) >> 11n) / 2 ** 53;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Levels of 0 to 1 as a PNG of one channel of 16 bits (RFC 2083); each row begins with its filter, 0 for none. */
function greyPng(levels) {
  const rows = Buffer.alloc(SIDE * (1 + 2 * SIDE));
  for (const [at, level] of levels.entries()) {
    const row = Math.floor(at / SIDE);
    rows.writeUInt16BE(Math.round(level * 65535), row * (1 + 2 * SIDE) + 1 + 2 * (at % SIDE));
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(SIDE, 0);
  header.writeUInt32BE(SIDE, 4);
  header.set([16, 0, 0, 0, 0], 8);
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const whole = Buffer.alloc(body.length + 8);
  whole.writeUInt32BE(data.length, 0);
  whole.set(body, 4);
  whole.writeUInt32BE(crc32(body), body.length + 4);
  return whole;
}

/** The cyclic redundancy check of PNG (RFC 2083, 3.4). */
function crc32(bytes) {
  let rest = 0xffffffff;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  }
  return (rest ^ 0xffffffff) >>> 0;
}
