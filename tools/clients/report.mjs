import assert from 'node:assert/strict';

/**
 * What a program of this folder does: it calls the server with a client as that client's documentation does first, and prints a line of JSON for each
 * feature. Its one argument is JSON: the server's `url`, the names of its `models` by task, and `sample`, a recording of speech.
 */
export const { url, models, sample } = JSON.parse(process.argv[2] ?? '{}');

const LIMIT_MS = 60_000;

/** Tries a feature that needs a model of the task; `run` throws where the server or the client does not do what it should. */
export async function feature(name, task, run) {
  const model = models[task];
  if (model === undefined) return tell({ feature: name, skipped: `no model for ${task}` });
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${LIMIT_MS / 1000} s`)), LIMIT_MS);
  });
  try {
    await Promise.race([run(model), late]);
    tell({ feature: name, ok: true });
  } catch (error) {
    tell({ feature: name, ok: false, error: String(error?.message ?? error).slice(0, 300) });
  } finally {
    clearTimeout(timer);
  }
}

function tell(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

/** A text with something in it. */
export function isText(value) {
  assert.equal(typeof value, 'string');
  assert.notEqual(value, '');
}

/** Vectors of one length that are not zero. */
export function areVectors(vectors, count) {
  assert.equal(vectors.length, count);
  for (const vector of vectors) {
    assert.ok(vector.length > 0 && vector.length === vectors[0].length);
    assert.ok(vector.some((one) => one !== 0) && vector.every((one) => Number.isFinite(one)));
  }
}

/** The bytes of a WAV or an MP3. */
export function isAudio(bytes) {
  const start = Buffer.from(bytes.subarray(0, 4));
  const isMp3 = start.subarray(0, 3).toString('latin1') === 'ID3' || (start[0] === 0xff && start[1] >= 0xe0);
  assert.ok(start.toString('latin1') === 'RIFF' || isMp3, `no audio: ${start.toString('hex')}`);
  assert.ok(bytes.length > 44);
}

/** The texts of a stream, joined; it must come in more than one piece. */
export async function joined(stream, textOf) {
  const pieces = [];
  for await (const one of stream) {
    const text = textOf(one);
    if (text) pieces.push(text);
  }
  assert.ok(pieces.length > 1, 'the stream has one piece only');
  return pieces.join('');
}

/** JSON Schema of a recipe, as the AI SDK's documentation has it first. */
export const RECIPE = {
  type: 'object',
  properties: { name: { type: 'string' }, steps: { type: 'array', items: { type: 'string' } } },
  required: ['name', 'steps'],
  additionalProperties: false,
};

export const WEATHER = {
  name: 'get_weather',
  description: 'Get current temperature for a given location.',
  parameters: {
    type: 'object',
    properties: { location: { type: 'string', description: 'City and country e.g. Bogotá, Colombia' } },
    required: ['location'],
    additionalProperties: false,
  },
};
