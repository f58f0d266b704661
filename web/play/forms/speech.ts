import { asObject, errorWords, isObject, numberAt, resultOf, textAt } from '../json-shape.ts';
import {
  Base64Of,
  type Field,
  type FileField,
  type ModelAbout,
  type Part,
  type Play,
  type Shown,
  type Transcript,
  type Values,
} from '../types.ts';
import { isOn, neededFile, neededText, numberOf, textOf } from '../values.ts';
import { candidateFields, candidatesOf } from './images.ts';
import { exampleText, predict, scoresOf } from './text.ts';

/** Tasks of sound. */

function audioField({ example }: ModelAbout): FileField {
  const own = example !== undefined && 'file' in example ? { example } : {};
  return { kind: 'file', of: 'audio', name: 'audio', label: 'Recording', ...own };
}

const LISTENING: readonly Field[] = [
  {
    kind: 'switch',
    name: 'stream',
    label: 'Stream the text',
    value: false,
    help: 'long recordings come piece by piece, without timestamps',
  },
  { kind: 'switch', name: 'words', label: 'Word timestamps', value: true },
  {
    kind: 'text',
    name: 'language',
    label: 'Language',
    value: '',
    mayBeEmpty: true,
    placeholder: 'detected',
    help: 'a code such as en, or its English name',
    isMore: true,
  },
  {
    kind: 'text',
    name: 'prompt',
    label: 'Prompt',
    value: '',
    rows: 2,
    mayBeEmpty: true,
    help: 'an example of spelling and style',
    isMore: true,
  },
  { kind: 'text', name: 'hotwords', label: 'Names and words to expect', value: '', mayBeEmpty: true, isMore: true },
  { kind: 'switch', name: 'vad_filter', label: 'Skip silence', value: false, isMore: true },
];

export function transcriptionPlay(model: ModelAbout): Play {
  return {
    id: 'transcribe',
    title: 'Transcribe',
    streams: 'transcript',
    fields: [audioField(model), ...LISTENING],
    request(values) {
      const file = neededFile(values, 'audio', 'a recording');
      const isStream = isOn(values, 'stream');
      const texts = ['language', 'prompt', 'hotwords'].flatMap((name): Part[] => {
        const text = textOf(values, name).trim();
        return text === '' ? [] : [[name, text]];
      });
      const parts: Part[] = [
        ['model', model.name],
        ...(isStream ? [['stream', 'true'] as const] : formOf(isOn(values, 'words'))),
        ...texts,
        ...(isOn(values, 'vad_filter') ? [['vad_filter', 'true'] as const] : []),
        ['file', file],
      ];
      return { path: '/v1/audio/transcriptions', body: { kind: 'form', parts }, ...(isStream ? { isStream } : {}) };
    },
    read: ({ json }) => [{ kind: 'transcript', transcript: transcriptOf(json) }],
  };
}

function formOf(hasWords: boolean): Part[] {
  const words: Part[] = hasWords ? [['timestamp_granularities[]', 'word']] : [];
  return [['response_format', 'verbose_json'], ['timestamp_granularities[]', 'segment'], ...words];
}

/** A reply of the form `verbose_json`. Throws an Error for another one. */
export function transcriptOf(json: unknown): Transcript {
  const reply = asObject(json);
  const listAt = (name: string): readonly Readonly<Record<string, unknown>>[] => {
    const value = reply[name];
    return Array.isArray(value) ? (value as readonly unknown[]).filter(isObject) : [];
  };
  const { duration } = reply;
  const language = textAt(reply, 'language');
  return {
    text: textAt(reply, 'text'),
    // A model of letters does not tell the language.
    ...(language === '' || language === 'unknown' ? {} : { language }),
    ...(typeof duration === 'number' ? { duration } : {}),
    segments: listAt('segments').map((one) => ({ ...timesOf(one), text: textAt(one, 'text') })),
    words: listAt('words').map((one) => ({ ...timesOf(one), word: textAt(one, 'word') })),
  };
}

function timesOf(one: Readonly<Record<string, unknown>>): { start: number; end: number } {
  return { start: numberAt(one, 'start'), end: numberAt(one, 'end') };
}

/** The text so far with the next event of a stream. Throws an Error if that is an error. */
export function withTranscriptEvent(text: string, data: string): string {
  if (data === '[DONE]') return text;
  const event = asObject(JSON.parse(data), 'the event');
  const { error } = event;
  if (error !== undefined) throw new Error(errorWords(error));
  if (event['type'] === 'transcript.text.delta') return text + textAt(event, 'delta');
  return event['type'] === 'transcript.text.done' ? textAt(event, 'text') : text;
}

export function audioClassificationPlay(model: ModelAbout): Play {
  return {
    id: 'classify',
    title: 'Classify',
    fields: [
      audioField(model),
      { kind: 'number', name: 'top_k', label: 'Max classes', value: '', min: 0, step: 1, placeholder: 'model default' },
    ],
    request(values) {
      const file = neededFile(values, 'audio', 'a recording');
      const top = numberOf(values, 'top_k');
      const request = predict(model, new Base64Of(file), { top_k: top });
      return top === undefined ? { ...request, body: { kind: 'file', file } } : request;
    },
    read: ({ json }) => [{ kind: 'scores', rows: scoresOf(resultOf(json)) }],
  };
}

export function zeroShotAudioPlay(model: ModelAbout): Play {
  return {
    id: 'zero-shot',
    title: 'Classify',
    fields: [
      audioField(model),
      ...candidateFields({ labels: 'speech, music, a dog', template: 'This is a sound of {}.' }),
    ],
    request(values) {
      const file = neededFile(values, 'audio', 'a recording');
      return predict(model, new Base64Of(file), candidatesOf(values));
    },
    read: ({ json }) => [{ kind: 'scores', rows: scoresOf(resultOf(json)) }],
  };
}

/** A choice, once the model is loaded and its voices are known. Empty: the model's own voice, whatever its name. */
function voiceField({ voices }: ModelAbout): Field {
  const field = { name: 'voice', label: 'Voice', value: '' } as const;
  if (voices === undefined) return { ...field, kind: 'text', mayBeEmpty: true, placeholder: 'model default' };
  return {
    ...field,
    kind: 'choice',
    choices: ['', ...voices].map((value) => ({ value, label: value || 'model default' })),
  };
}

/** Names of formats, and the ends of their files' names. Bare samples (pcm) are left out: no browser plays them. */
const FORMATS: Readonly<Record<string, { readonly label: string; readonly ending: string }>> = {
  wav: { label: 'WAV', ending: 'wav' },
  mp3: { label: 'MP3', ending: 'mp3' },
  opus: { label: 'Opus', ending: 'ogg' },
  aac: { label: 'AAC', ending: 'aac' },
  flac: { label: 'FLAC', ending: 'flac' },
};
const WAV = 'wav';

/** What the server can write, once the model is loaded and has told. */
function formatField({ formats = [WAV], loaded }: ModelAbout): Field {
  const choices = Object.entries(FORMATS).flatMap(([value, { label }]) =>
    formats.includes(value) ? [{ value, label }] : [],
  );
  const field = { kind: 'choice', name: 'response_format', label: 'Format', value: WAV, choices } as const;
  if (choices.length > 1) return field;
  return {
    ...field,
    help: loaded ? 'others take ffmpeg on the server' : 'others are offered once the model is loaded',
  };
}

function speechFile(values: Values): string {
  return `speech.${FORMATS[textOf(values, 'response_format')]?.ending ?? WAV}`;
}

export function speakingPlay(model: ModelAbout): Play {
  return {
    id: 'speak',
    title: 'Speak',
    fields: [
      { kind: 'text', name: 'input', label: 'Text', value: exampleText(model, 'The carpool lane is open.'), rows: 4 },
      voiceField(model),
      formatField(model),
      {
        kind: 'number',
        name: 'speed',
        label: 'Speed',
        value: '',
        min: 0.25,
        max: 4,
        step: 0.05,
        placeholder: '1',
        isMore: true,
      },
    ],
    request(values) {
      const speed = numberOf(values, 'speed');
      const value = {
        model: model.name,
        input: neededText(values, 'input', 'The text'),
        // OpenAI's clients want one; an empty one is the model's own.
        voice: textOf(values, 'voice').trim(),
        ...(speed === undefined ? {} : { speed }),
        response_format: textOf(values, 'response_format'),
      };
      return { path: '/v1/audio/speech', body: { kind: 'json', value }, answerFile: speechFile(values) };
    },
    read: ({ bytes, type }, values): Shown[] => [{ kind: 'audio', bytes, type, name: speechFile(values) }],
  };
}
