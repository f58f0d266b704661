import { asObject, resultOf, textAt } from '../json-shape.ts';
import type { Field, ModelAbout, Play } from '../types.ts';
import { neededText, numberOf, textOf } from '../values.ts';
import { exampleParameter, exampleText, predict } from './text.ts';

/** Tasks that make a text of a text. */

const TO_TRANSLATE = 'The house is wonderful.';
const TEXTS: Readonly<Record<string, string>> = {
  summarization:
    'A carpool lane is reserved for cars with several people in them. Where many drive to the same place at the same time, sharing a car saves fuel, money and room on the road. Cities open such lanes on busy roads in the morning and in the evening, and leave them to everybody for the rest of the day.',
};

/** A text made of a text, by a model with an encoder and a decoder. */
export function rewritingPlay(model: ModelAbout): Play {
  const isTranslation = model.task === 'translation';
  return {
    id: 'rewrite',
    title: isTranslation ? 'Translate' : model.task === 'summarization' ? 'Summarise' : 'Rewrite',
    fields: [
      {
        kind: 'text',
        name: 'text',
        label: 'Text',
        value: exampleText(model, TEXTS[model.task] ?? TO_TRANSLATE),
        rows: 6,
      },
      languageField(model, { name: 'src_lang', label: 'Source language', code: /^en/i }),
      languageField(model, { name: 'tgt_lang', label: 'Target language', code: /^(de|ger)/i }),
      {
        kind: 'number',
        name: 'num_beams',
        label: 'Beams',
        value: '',
        min: 1,
        max: 16,
        step: 1,
        placeholder: 'model default',
        isMore: true,
      },
      {
        kind: 'number',
        name: 'max_new_tokens',
        label: 'Max tokens',
        value: '',
        min: 1,
        step: 1,
        placeholder: 'model default',
        isMore: true,
      },
    ],
    request: (values) =>
      predict(model, neededText(values, 'text', 'The text'), {
        src_lang: textOf(values, 'src_lang').trim() || undefined,
        tgt_lang: textOf(values, 'tgt_lang').trim() || undefined,
        num_beams: numberOf(values, 'num_beams'),
        max_new_tokens: numberOf(values, 'max_new_tokens'),
      }),
    read: ({ json }) => [{ kind: 'text', text: textAt(asObject(resultOf(json)), 'text') }],
  };
}

interface Language {
  readonly name: string;
  readonly label: string;
  /** Of the language that a translation begins with, if the model has it. */
  readonly code: RegExp;
}

/** A choice, once the model is loaded and its languages are known. One that names none then has a single pair, or takes what only its authors know. */
function languageField(model: ModelAbout, { name, label, code }: Language): Field {
  const { languages, loaded } = model;
  const isTranslation = model.task === 'translation';
  const field = { name, label, isMore: !isTranslation || (loaded && languages === undefined) };
  const value = exampleParameter(model, name);
  if (languages === undefined)
    return {
      ...{ ...field, value, kind: 'text', mayBeEmpty: true, placeholder: 'model default' },
      help: `a code of the tokenizer: en, eng_Latn, en_XX${loaded ? '' : '; offered as a list once the model is loaded'}`,
    };
  const choices = ['', ...languages].map((one) => ({ value: one, label: one || 'model default' }));
  return {
    ...field,
    kind: 'choice',
    choices,
    value: value || (isTranslation ? languages.find((one) => code.test(one)) : '') || '',
  };
}
