import { markEntities } from '../entities.ts';
import { asList, asObject, isObject, numberAt, resultOf, showJson, textAt } from '../json-shape.ts';
import type { Field, ModelAbout, Play, PlayRequest, Score, Shown } from '../types.ts';
import { given, isOn, jsonOf, listOf, neededText, numberOf, textOf } from '../values.ts';

/** Tasks that read a text, by the native API. */

/** A request for one item of the native API. */
export function predict({ name }: ModelAbout, data: unknown, parameters: object = {}): PlayRequest {
  const told = given(parameters);
  const value = { data, ...(Object.keys(told).length === 0 ? {} : { parameters: told }) };
  return { path: `/predict/${encodeURIComponent(name)}`, body: { kind: 'json', value } };
}

/** `[{"label", "score"}]`. */
export function scoresOf(result: unknown): Score[] {
  return asList(result).map((one) => {
    const row = asObject(one, 'a class');
    return { label: textAt(row, 'label'), score: numberAt(row, 'score') };
  });
}

/** The text of a model's example, or another one. */
export function exampleText({ example }: ModelAbout, otherwise: string): string {
  if (example === undefined || !('data' in example)) return otherwise;
  const { data } = example;
  if (typeof data === 'string') return data;
  return isObject(data) && typeof data['text'] === 'string' ? data['text'] : otherwise;
}

/** A parameter of a model's example as a form shows it. */
export function exampleParameter({ example }: ModelAbout, name: string): string {
  const value = example !== undefined && 'data' in example ? example.parameters?.[name] : undefined;
  return typeof value === 'number' || typeof value === 'string' ? String(value) : '';
}

const topK = (model: ModelAbout): Field => ({
  kind: 'number',
  name: 'top_k',
  label: 'Max classes',
  value: exampleParameter(model, 'top_k'),
  min: 0,
  step: 1,
  placeholder: 'model default',
  help: '0 shows all',
});

/** Of a model for natural language inference: these names mean that it can tell whether a text implies another. */
function mayZeroShot({ labels, task }: ModelAbout): boolean {
  return task === 'text-classification' && (labels === undefined || labels.some((label) => /^entail/i.test(label)));
}

export function classificationPlays(model: ModelAbout): Play[] {
  const classify: Play = {
    id: 'classify',
    title: 'Classify',
    fields: [
      { kind: 'text', name: 'text', label: 'Text', value: exampleText(model, 'I like it very much.'), rows: 4 },
      topK(model),
    ],
    request: (values) => predict(model, neededText(values, 'text', 'The text'), { top_k: numberOf(values, 'top_k') }),
    read: ({ json }) => [{ kind: 'scores', rows: scoresOf(resultOf(json)) }],
  };
  return mayZeroShot(model) ? [classify, zeroShotPlay(model)] : [classify];
}

function zeroShotPlay(model: ModelAbout): Play {
  return {
    id: 'zero-shot',
    title: 'Zero-shot',
    fields: [
      { kind: 'text', name: 'text', label: 'Text', value: 'The new phone has a brilliant screen.', rows: 3 },
      {
        kind: 'text',
        name: 'labels',
        label: 'Classes',
        value: 'technology, politics, sport',
        help: 'separated by commas; only models for natural language inference can do this',
      },
      { kind: 'switch', name: 'multi', label: 'Several classes may be true', value: false },
      {
        kind: 'text',
        name: 'template',
        label: 'Hypothesis template',
        value: '',
        placeholder: 'This example is {}.',
        mayBeEmpty: true,
        isMore: true,
      },
    ],
    request(values) {
      const text = neededText(values, 'text', 'The text');
      const labels = listOf(neededText(values, 'labels', 'A class'));
      return predict(model, text, {
        candidate_labels: labels,
        multi_label: isOn(values, 'multi') ? true : undefined,
        hypothesis_template: textOf(values, 'template') || undefined,
      });
    },
    read: ({ json }) => [{ kind: 'scores', rows: scoresOf(resultOf(json)) }],
  };
}

export function tokensPlay(model: ModelAbout): Play {
  const strategies = ['', 'none', 'simple', 'first', 'average', 'max'];
  return {
    id: 'tokens',
    title: 'Find entities',
    fields: [
      {
        kind: 'text',
        name: 'text',
        label: 'Text',
        value: exampleText(model, 'My name is Sarah and I live in London.'),
        rows: 5,
      },
      {
        kind: 'choice',
        name: 'strategy',
        label: 'Aggregation strategy',
        value: '',
        choices: strategies.map((value) => ({ value, label: value || 'model default' })),
        isMore: true,
      },
    ],
    request: (values) =>
      predict(model, neededText(values, 'text', 'The text'), {
        aggregation_strategy: textOf(values, 'strategy') || undefined,
      }),
    read({ json }, values): Shown[] {
      const entities = asList(resultOf(json));
      if (entities.length === 0) return [{ kind: 'note', text: 'The model found nothing in this text.' }];
      return [{ kind: 'marked', pieces: markEntities(textOf(values, 'text'), entities) }];
    },
  };
}

export function fillMaskPlay(model: ModelAbout): Play {
  const { mask = '[MASK]' } = model;
  return {
    id: 'fill',
    title: 'Fill the mask',
    fields: [
      {
        kind: 'text',
        name: 'text',
        label: 'Text with a mask',
        value: exampleText(model, `The capital of France is ${mask}.`),
        rows: 3,
        help:
          model.mask === undefined
            ? `the model reads ${mask} or <mask>: which one is known once it is loaded`
            : `${mask} stands for the token to find`,
      },
      { kind: 'number', name: 'top_k', label: 'Max suggestions', value: '5', min: 1, step: 1 },
    ],
    request: (values) => predict(model, neededText(values, 'text', 'The text'), { top_k: numberOf(values, 'top_k') }),
    read({ json }): Shown[] {
      const result = asList(resultOf(json));
      const masks = Array.isArray(result[0]) ? result.map((one) => asList(one)) : [result];
      return masks.map((tokens, index) => ({
        kind: 'scores',
        label: masks.length === 1 ? 'Most likely tokens' : `Mask ${index + 1}`,
        rows: tokens.map((one) => {
          const row = asObject(one, 'a token');
          return { label: textAt(row, 'token_str'), score: numberAt(row, 'score') };
        }),
      }));
    },
  };
}

export function questionPlay(model: ModelAbout): Play {
  const example =
    model.example !== undefined && 'data' in model.example && isObject(model.example.data) ? model.example.data : {};
  const context = textAt(example, 'context') || 'My name is Sarah and I live in London. I have two cats.';
  return {
    id: 'question',
    title: 'Ask',
    fields: [
      { kind: 'text', name: 'question', label: 'Question', value: textAt(example, 'question') || 'Where do I live?' },
      { kind: 'text', name: 'context', label: 'Context', value: context, rows: 6 },
      {
        kind: 'number',
        name: 'top_k',
        label: 'Max answers',
        value: '',
        min: 1,
        step: 1,
        placeholder: '1',
        isMore: true,
      },
    ],
    request(values) {
      const item = {
        question: neededText(values, 'question', 'The question'),
        context: neededText(values, 'context', 'The context'),
      };
      return predict(model, item, { top_k: numberOf(values, 'top_k') });
    },
    read({ json }, values): Shown[] {
      const answers = [resultOf(json)].flat().map((one) => asObject(one, 'an answer'));
      const marked = answers.slice(0, 1).map((answer) => ({ ...answer, entity: 'answer' }));
      return [
        {
          kind: 'scores',
          rows: answers.map((answer) => ({
            label: textAt(answer, 'answer') || '(no answer)',
            score: numberAt(answer, 'score'),
          })),
        },
        { kind: 'marked', pieces: markEntities(textOf(values, 'context'), marked) },
      ];
    },
  };
}

/** Any model, in JSON: for tasks of one's own, and those that this page does not know. */
export function rawPlay(model: ModelAbout): Play {
  const { example } = model;
  const body = example !== undefined && 'data' in example ? example : { data: null };
  return {
    id: 'json',
    title: 'JSON',
    fields: [
      {
        kind: 'json',
        name: 'body',
        label: 'Request body',
        value: showJson(body),
        rows: 12,
        help: '"data" is the item, "parameters" are those of the task',
      },
    ],
    request: (values) => ({
      path: `/predict/${encodeURIComponent(model.name)}`,
      body: { kind: 'json', value: jsonOf(values, 'body') ?? {} },
    }),
    read: ({ json, type, bytes }) => [
      json === undefined ? { kind: 'image', bytes, type, name: 'reply' } : { kind: 'json', value: json },
    ],
  };
}
