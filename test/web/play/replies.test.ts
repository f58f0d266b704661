import assert from 'node:assert/strict';
import test from 'node:test';
import { playsOf } from '../../../web/play/plays.ts';
import type { Shown, Values } from '../../../web/play/types.ts';
import { initialValues } from '../../../web/play/values.ts';
import { modelOf, pickedFile } from './models.ts';

/** What is shown of replies. */

/** Those of a play of a task, by its id. */
function shown(
  task: string,
  json: unknown,
  { id, values = {}, more = {} }: { id?: string; values?: Values; more?: object } = {},
): readonly Shown[] {
  const plays = playsOf(modelOf(task, more));
  const play = id === undefined ? plays[0] : plays.find((one) => one.id === id);
  assert.ok(play);
  return play.read(
    { type: 'application/json', json, bytes: new Uint8Array() },
    { ...initialValues(play.fields), ...values },
  );
}

test('classes are rows with their scores', () => {
  const rows = [{ label: 'deu', score: 0.9 }];
  for (const task of ['text-classification', 'image-classification', 'audio-classification'])
    assert.deepEqual(shown(task, { result: rows })[0], { kind: 'scores', rows });
});

test('entities are marked by code points, and of two that overlap the first', () => {
  const text = '🚗 Sarah lives in Köln.';
  const entity = (start: number, end: number, entity_group: string): object => ({
    start,
    end,
    entity_group,
    score: 0.5,
    word: '',
  });
  const [marked] = shown(
    'token-classification',
    { result: [entity(17, 21, 'LOC'), entity(2, 7, 'PER'), entity(4, 7, 'X')] },
    { values: { text } },
  );
  assert.deepEqual(marked, {
    kind: 'marked',
    pieces: [
      { text: '🚗 ' },
      { text: 'Sarah', label: 'PER', score: 0.5 },
      { text: ' lives in ' },
      { text: 'Köln', label: 'LOC', score: 0.5 },
      { text: '.' },
    ],
  });
  assert.equal(shown('token-classification', { result: [] })[0]?.kind, 'note');
});

test('an answer is marked in its text, whether one or several come', () => {
  const one = { answer: 'London', score: 0.9, start: 10, end: 16 };
  const values = { context: 'I live in London.' };
  for (const result of [one, [one, { ...one, score: 0.1 }]]) {
    const [scores, marked] = shown('question-answering', { result }, { values });
    assert.deepEqual(scores?.kind === 'scores' && scores.rows[0], { label: 'London', score: 0.9 });
    assert.deepEqual(marked?.kind === 'marked' && marked.pieces[1], { text: 'London', label: 'answer', score: 0.9 });
  }
});

test('each mask has its tokens', () => {
  const token = { score: 0.4, token: 1, token_str: 'paris', sequence: '' };
  assert.equal(shown('fill-mask', { result: [token] }).length, 1);
  assert.equal(shown('fill-mask', { result: [[token], [token]] }).length, 2);
});

test('vectors are compared with each other', () => {
  const data = [
    [1, 0],
    [0, 2],
    [3, 3],
  ].map((embedding, index) => ({ object: 'embedding', index, embedding }));
  const [matrix, vector] = shown('embeddings', { data }, { values: { texts: ['a', 'b', 'c'] } });
  assert.deepEqual(
    matrix?.kind === 'matrix' && [matrix.names, matrix.values.map((row) => row.map((value) => value.toFixed(2)))],
    [
      ['a', 'b', 'c'],
      [
        ['1.00', '0.00', '0.71'],
        ['0.00', '1.00', '0.71'],
        ['0.71', '0.71', '1.00'],
      ],
    ],
  );
  assert.deepEqual(vector, { kind: 'vector', name: 'a', values: [1, 0] });
  const images = { images: [pickedFile('cat.png', 'image/png')], texts: ['a cat'] };
  const [mixed] = shown(
    'zero-shot-image-classification',
    { data: data.slice(0, 2) },
    { id: 'mixed-vectors', values: images },
  );
  assert.deepEqual(mixed?.kind === 'matrix' && mixed.names, ['cat.png', 'a cat']);
  const sounds = { sounds: [pickedFile('rain.wav', 'audio/wav')], texts: ['rain'] };
  const more = { id: 'mixed-vectors', values: sounds };
  const [heard] = shown('zero-shot-audio-classification', { data: data.slice(0, 2) }, more);
  assert.deepEqual(heard?.kind === 'matrix' && heard.names, ['rain.wav', 'rain']);
});

test('a ranking names the documents that it is about', () => {
  const results = [
    { index: 1, relevance_score: 0.9 },
    { index: 0, relevance_score: 0.1 },
  ];
  const [ranking] = shown('reranking', { results }, { values: { documents: ['first', '', 'second'] } });
  assert.deepEqual(ranking, {
    kind: 'ranking',
    rows: [
      { text: 'second', score: 0.9 },
      { text: 'first', score: 0.1 },
    ],
  });
});

test('boxes, masks and pictures', () => {
  const box = { xmin: 1, ymin: 2, xmax: 3, ymax: 4 };
  assert.deepEqual(shown('object-detection', { result: [{ label: 'cat', score: 0.5, box }] })[0], {
    kind: 'boxes',
    boxes: [{ label: 'cat', score: 0.5, box }],
  });
  assert.equal(shown('object-detection', { result: [] })[0]?.kind, 'note');
  const [masks] = shown('image-segmentation', { result: [{ label: 'sky', mask: 'AAEC' }] });
  assert.deepEqual(masks, { kind: 'masks', masks: [{ label: 'sky', bytes: Uint8Array.of(0, 1, 2) }] });
  const [drawn] = shown('text-to-image', { data: [{ b64_json: '/w==' }] });
  assert.deepEqual(drawn, { kind: 'image', bytes: Uint8Array.of(255), type: 'image/png', name: 'picture-1.png' });
});

test('a transcript has its words and segments, where they came', () => {
  const words = [{ word: 'And', start: 0, end: 0.4 }];
  const segments = [{ id: 0, start: 0, end: 2, text: 'And so', tokens: [1] }];
  const [whole] = shown('transcription', { text: 'And so', language: 'english', duration: 2, segments, words });
  assert.deepEqual(whole, {
    kind: 'transcript',
    transcript: {
      text: 'And so',
      language: 'english',
      duration: 2,
      words,
      segments: [{ start: 0, end: 2, text: 'And so' }],
    },
  });
  const [plain] = shown('transcription', { text: 'And so' });
  assert.deepEqual(plain?.kind === 'transcript' && plain.transcript.words, []);
});

test('outputs are shown by name', () => {
  const output = (name: string): object => ({ name, datatype: 'FP32', shape: [-1], batch_axis: 0 });
  const inputs = [output('x')];
  assert.deepEqual(shown('tensors', { result: 9 }, { more: { inputs, outputs: [output('y')] } }), [
    { kind: 'tensor', name: 'y', value: 9, labels: [] },
  ]);
  const two = shown('tensors', { result: { y: 9, z: [1] } }, { more: { inputs, outputs: [output('y'), output('z')] } });
  assert.deepEqual(
    two.map((one) => one.kind === 'tensor' && one.name),
    ['y', 'z'],
  );
});

test('a reply that is not what the API says is an error, not an empty answer', () => {
  assert.throws(() => shown('embeddings', { result: [] }), /the reply is not a list/);
  assert.throws(() => shown('object-detection', { result: [{ label: 'cat' }] }), /a box is not an object/);
});

test('a transcript of a model that does not know the language names none', () => {
  const [heard] = shown('transcription', { text: 'a', language: 'unknown' });
  assert.deepEqual(heard, { kind: 'transcript', transcript: { text: 'a', segments: [], words: [] } });
});
