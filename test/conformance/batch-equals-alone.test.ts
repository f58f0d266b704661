import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { Carpool } from '../process/carpool.ts';

/**
 * For every shipped model: requests sent together give the answers they give one by one, and did share runs. The lane is held up by a
 * slow first run, so that those that come meanwhile have to ride together.
 */

const HOLD_MS = 400;
const TOLERANCE = 1e-5;
const CROWD = 12;

interface Case {
  readonly model: string;
  /** The request of each item, given its number. */
  readonly path: string;
  readonly request: (
    index: number,
  ) =>
    | { body: string | Uint8Array<ArrayBuffer>; contentType: string }
    | Promise<{ body: Uint8Array<ArrayBuffer>; contentType: string }>;
}

const json = (value: unknown) => ({ body: JSON.stringify(value), contentType: 'application/json' });
const TEXTS = [
  'Where is the nearest library?',
  'Wo ist die nächste Bibliothek?',
  '¿Dónde está la biblioteca más cercana?',
  'Où se trouve la bibliothèque la plus proche ?',
  'Где находится ближайшая библиотека?',
  '最寄りの図書館はどこですか',
];

async function picture(index: number): Promise<{ body: Uint8Array<ArrayBuffer>; contentType: string }> {
  const pixels = Buffer.from(Array.from({ length: 16 * 16 * 3 }, (_, at) => (at * (index + 3) * 7) % 256));
  const png = await sharp(pixels, { raw: { width: 16, height: 16, channels: 3 } })
    .png()
    .toBuffer();
  return { body: new Uint8Array(png), contentType: 'image/png' };
}

const CASES: readonly Case[] = [
  { model: 'square', path: '/predict/square', request: (index) => json({ data: index + 0.1 }) },
  {
    model: 'language-id',
    path: '/predict/language-id',
    request: (index) => json({ data: `${TEXTS[index % TEXTS.length] ?? ''} ${'ab'.repeat(index)}` }),
  },
  { model: 'super-resolution', path: '/predict/super-resolution', request: picture },
  {
    model: 'voice-activity',
    path: '/v2/models/voice-activity/infer',
    request: (index) =>
      json({
        inputs: [
          {
            name: 'input',
            shape: [1, 576],
            datatype: 'FP32',
            data: Array.from({ length: 576 }, (_, at) => Math.sin(at * (0.05 + index / 50)) / 3),
          },
          {
            name: 'state',
            shape: [2, 1, 128],
            datatype: 'FP32',
            data: Array.from({ length: 256 }, (_, at) => Math.cos(at + index) / 10),
          },
          { name: 'sr', shape: [], datatype: 'INT64', data: [16000] },
        ],
      }),
  },
];

/** Every number of a reply, in order; pixels for a picture. */
async function numbersOf(response: Response): Promise<number[]> {
  if (response.headers.get('content-type')?.startsWith('image/') === true)
    return [
      ...(await sharp(Buffer.from(await response.arrayBuffer()))
        .raw()
        .toBuffer()),
    ];
  const numbers: number[] = [];
  JSON.stringify(await response.json(), (_, value: unknown) => {
    if (typeof value === 'number') numbers.push(value);
    return value;
  });
  return numbers;
}

for (const { model, path, request } of CASES)
  test(`${model}: together as alone`, { timeout: 120_000 }, async () => {
    await using carpool = await Carpool.start({
      MODELS: model,
      MODEL_OPTIONS: JSON.stringify({ [model]: { simulate: { runMs: HOLD_MS }, batching: { maxDelayMs: 0 } } }),
    });
    const send = async (index: number): Promise<number[]> => {
      const { body, contentType } = await request(index);
      const response = await fetch(carpool.url + path, {
        method: 'POST',
        body,
        headers: { 'Content-Type': contentType },
      });
      assert.equal(response.status, 200);
      return numbersOf(response);
    };
    const alone: number[][] = [];
    for (let index = 0; index < CROWD; index += 1) alone.push(await send(index));
    const runsAlone = await carpool.metric('carpool_batch_items_count', { model });
    const together = await Promise.all(Array.from({ length: CROWD }, (_, index) => send(index)));
    const runsTogether = (await carpool.metric('carpool_batch_items_count', { model })) - runsAlone;
    for (const [index, numbers] of together.entries()) {
      assert.equal(numbers.length, alone[index]?.length);
      assert.ok(numbers.length > 0);
      for (const [at, value] of numbers.entries())
        assert.ok(
          Math.abs(value - (alone[index]?.[at] ?? NaN)) <= TOLERANCE,
          `item ${index}: ${value} and ${alone[index]?.[at] ?? NaN}`,
        );
    }
    assert.equal(runsAlone, CROWD);
    assert.ok(runsTogether < CROWD / 2, `${CROWD} requests took ${runsTogether} runs`);
  });
