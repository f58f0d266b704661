import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSpeechRequest, type SpeechChoices } from '../../../src/tasks/text-to-speech/request.ts';
import { json, raw, refusal } from '../support.ts';

const ONE: SpeechChoices = { model: 'amy', maxCharacters: 40, names: [], aliases: {}, voice: 0 };
const SOME: SpeechChoices = { ...ONE, names: ['anna', 'ben'], aliases: { alloy: 'ben' }, voice: 1 };
const read = (value: unknown, parameters = {}, choices = ONE) => readSpeechRequest(json(value, parameters), choices);

test('an item is a text, and a request without more is spoken at the usual speed into a WAV', () => {
  assert.deepEqual(read('Good day.'), {
    sentences: ['Good day.'],
    characters: 9,
    voice: 0,
    speed: 1,
    formats: ['wav'],
  });
  assert.deepEqual(read({ text: 'Good day.' }, { format: ['mp3', 'wav'], speed: 2 }).formats, ['mp3', 'wav']);
  assert.equal(readSpeechRequest(raw('text/plain', Buffer.from('Good day.')), ONE).characters, 9);
});

test("a model of one voice takes the names of OpenAI's voices; another one is refused", () => {
  for (const voice of ['alloy', 'nova', 'default', 'amy', '', null]) assert.equal(read('a', { voice }).voice, 0);
  assert.throws(() => read('a', { voice: 'bob' }), refusal('INVALID_INPUT', /no voice "bob"; there are default\./));
});

test('a model of several voices takes their names and further ones of its folder', () => {
  const voiceOf = (voice?: string) => read('a', voice === undefined ? {} : { voice }, SOME).voice;
  assert.deepEqual([voiceOf(), voiceOf('anna'), voiceOf('ben'), voiceOf('alloy')], [1, 0, 1, 1]);
  assert.throws(() => voiceOf('nova'), refusal('INVALID_INPUT', /there are anna, ben, alloy\./));
});

test('what cannot be spoken is refused', () => {
  assert.throws(() => read('a'.repeat(41)), refusal('TOO_LARGE', /40 characters/));
  assert.throws(() => read(' '), refusal('INVALID_INPUT', /empty/));
  assert.throws(() => read('?!'), refusal('INVALID_INPUT', /neither letters nor digits/));
  assert.throws(() => read(5), refusal('INVALID_INPUT', /takes a text/));
  assert.throws(() => read('a', { speed: 5 }), refusal('INVALID_INPUT', /speed/));
  assert.throws(() => read('a', { format: 'midi' }), refusal('INVALID_INPUT', /format/));
  assert.throws(() => read('a', { pitch: 5 }), refusal('INVALID_INPUT', /There is no parameter "pitch"/));
});
