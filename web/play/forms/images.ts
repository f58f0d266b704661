import { fromBase64 } from '../base64.ts';
import { asList, asObject, numberAt, resultOf, textAt } from '../json-shape.ts';
import {
  Base64Of,
  type Box,
  type Field,
  type FileField,
  type ModelAbout,
  type Play,
  type PlayReply,
  type PlayRequest,
  type Shown,
  type Values,
} from '../types.ts';
import { given, isOn, listOf, neededFile, neededText, numberOf, textOf } from '../values.ts';
import { exampleText, predict, scoresOf } from './text.ts';

/** Tasks that look at a picture or draw one. */

export function imageField({ example }: ModelAbout): FileField {
  const own = example !== undefined && 'file' in example ? { example } : {};
  return { kind: 'file', of: 'image', name: 'image', label: 'Picture', ...own };
}

/** The bytes as they are, or, where parameters go along, as base64 in JSON. */
function lookAt(
  model: ModelAbout,
  values: Values,
  { parameters = {}, ...answer }: { parameters?: object; accept?: string; answerFile?: string } = {},
): PlayRequest {
  const file = neededFile(values, 'image', 'a picture');
  const request = predict(model, new Base64Of(file), parameters);
  const hasParameters = Object.keys(given(parameters)).length > 0;
  return { ...request, ...(hasParameters ? {} : { body: { kind: 'file', file } }), ...answer };
}

export function imageClassificationPlay(model: ModelAbout): Play {
  return {
    id: 'classify',
    title: 'Classify',
    fields: [
      imageField(model),
      {
        kind: 'number',
        name: 'top_k',
        label: 'Max classes',
        value: '',
        min: 0,
        step: 1,
        placeholder: 'model default',
        help: '0 shows all',
      },
    ],
    request: (values) => lookAt(model, values, { parameters: { top_k: numberOf(values, 'top_k') } }),
    read: ({ json }) => [{ kind: 'scores', rows: scoresOf(resultOf(json)) }],
  };
}

/** Classes that a request names, for models that compare them with a picture or a sound. */
export function candidateFields({ labels, template }: { readonly labels: string; readonly template: string }): Field[] {
  return [
    { kind: 'text', name: 'labels', label: 'Classes', value: labels, help: 'separated by commas' },
    {
      kind: 'text',
      name: 'template',
      label: 'Template',
      value: '',
      placeholder: template,
      mayBeEmpty: true,
      isMore: true,
    },
  ];
}

export function candidatesOf(values: Values): { candidate_labels: string[]; hypothesis_template: string | undefined } {
  return {
    candidate_labels: listOf(neededText(values, 'labels', 'A class')),
    hypothesis_template: textOf(values, 'template') || undefined,
  };
}

export function zeroShotImagePlay(model: ModelAbout): Play {
  return {
    id: 'zero-shot',
    title: 'Classify',
    fields: [
      imageField(model),
      ...candidateFields({ labels: 'a cat, a dog, a house', template: 'This is a photo of {}.' }),
    ],
    request: (values) => lookAt(model, values, { parameters: candidatesOf(values) }),
    read: ({ json }) => [{ kind: 'scores', rows: scoresOf(resultOf(json)) }],
  };
}

export function detectionPlay(model: ModelAbout): Play {
  return {
    id: 'detect',
    title: 'Detect',
    fields: [
      imageField(model),
      {
        kind: 'number',
        name: 'threshold',
        label: 'Min score',
        value: '',
        min: 0,
        max: 1,
        step: 0.05,
        placeholder: 'model default',
      },
    ],
    request: (values) => lookAt(model, values, { parameters: { threshold: numberOf(values, 'threshold') } }),
    read({ json }): Shown[] {
      const boxes = asList(resultOf(json)).map(boxOf);
      if (boxes.length === 0) return [{ kind: 'note', text: 'The model found no object with that score.' }];
      return [{ kind: 'boxes', boxes }];
    },
  };
}

function boxOf(value: unknown): Box {
  const found = asObject(value, 'an object');
  const box = asObject(found['box'], 'a box');
  const [xmin, ymin, xmax, ymax] = ['xmin', 'ymin', 'xmax', 'ymax'].map((name) => numberAt(box, name)) as [
    number,
    number,
    number,
    number,
  ];
  return { label: textAt(found, 'label'), score: numberAt(found, 'score'), box: { xmin, ymin, xmax, ymax } };
}

export function segmentationPlay(model: ModelAbout): Play {
  return {
    id: 'segment',
    title: 'Segment',
    fields: [imageField(model)],
    request: (values) => lookAt(model, values),
    read: ({ json }) => [
      {
        kind: 'masks',
        masks: asList(resultOf(json)).map((one) => {
          const mask = asObject(one, 'a mask');
          return { label: textAt(mask, 'label'), bytes: fromBase64(textAt(mask, 'mask')) };
        }),
      },
    ],
  };
}

export function depthPlay(model: ModelAbout): Play {
  return {
    id: 'depth',
    title: 'Depth',
    fields: [imageField(model)],
    request: (values) => lookAt(model, values),
    read: ({ json }) => [
      {
        kind: 'compared',
        name: 'depth.png',
        type: 'image/png',
        bytes: fromBase64(textAt(asObject(resultOf(json)), 'depth')),
      },
    ],
  };
}

export function backgroundPlay(model: ModelAbout): Play {
  return {
    id: 'cut-out',
    title: 'Remove background',
    fields: [imageField(model), { kind: 'switch', name: 'mask', label: 'Mask only', value: false }],
    request: (values) =>
      lookAt(model, values, {
        parameters: { mask: isOn(values, 'mask') ? true : undefined },
        accept: 'image/png',
        answerFile: 'cut-out.png',
      }),
    read: ({ bytes, type }) => [{ kind: 'compared', bytes, type, name: 'cut-out.png' }],
  };
}

export function imageToImagePlay(model: ModelAbout): Play {
  return {
    id: 'picture',
    title: 'Transform',
    fields: [imageField(model)],
    request: (values) => lookAt(model, values, { accept: 'image/*', answerFile: 'reply.png' }),
    read: ({ bytes, type }) => [{ kind: 'compared', bytes, type, name: `reply.${type.replace(/^image\//, '')}` }],
  };
}

const DRAWING: readonly Field[] = [
  {
    kind: 'number',
    name: 'seed',
    label: 'Seed',
    value: '',
    step: 1,
    placeholder: 'random',
    help: 'the same seed draws the same picture',
  },
  { kind: 'number', name: 'n', label: 'Number of pictures', value: '1', min: 1, max: 10, step: 1 },
  {
    kind: 'text',
    name: 'negative_prompt',
    label: 'Negative prompt',
    value: '',
    mayBeEmpty: true,
    isMore: true,
  },
  {
    kind: 'text',
    name: 'size',
    label: 'Size',
    value: '',
    mayBeEmpty: true,
    placeholder: 'model default',
    help: 'WIDTHxHEIGHT in pixels',
    isMore: true,
  },
  {
    kind: 'number',
    name: 'steps',
    label: 'Steps',
    value: '',
    min: 1,
    step: 1,
    placeholder: 'model default',
    help: 'more steps take longer and usually give a better picture',
    isMore: true,
  },
  {
    kind: 'number',
    name: 'guidance',
    label: 'Guidance',
    value: '',
    min: 0,
    step: 0.5,
    placeholder: 'model default',
    help: 'higher values follow the prompt more closely',
    isMore: true,
  },
  {
    kind: 'choice',
    name: 'scheduler',
    label: 'Scheduler',
    value: '',
    choices: ['', 'ddim', 'euler', 'lcm'].map((value) => ({ value, label: value || 'model default' })),
    isMore: true,
  },
];

export function drawingPlay(model: ModelAbout): Play {
  const { example } = model;
  const data = example !== undefined && 'data' in example ? example.data : undefined;
  const prompt =
    typeof data === 'object' && data !== null
      ? textAt(data as Record<string, unknown>, 'prompt')
      : exampleText(model, '');
  return {
    id: 'draw',
    title: 'Generate',
    fields: [{ kind: 'text', name: 'prompt', label: 'Prompt', value: prompt || 'a red square', rows: 3 }, ...DRAWING],
    request(values) {
      const value = {
        model: model.name,
        prompt: neededText(values, 'prompt', 'The prompt'),
        ...given(
          Object.fromEntries(
            ['negative_prompt', 'size', 'scheduler'].map((name) => [name, textOf(values, name) || undefined]),
          ),
        ),
        ...given(Object.fromEntries(['n', 'seed', 'steps', 'guidance'].map((name) => [name, numberOf(values, name)]))),
      };
      return { path: '/v1/images/generations', body: { kind: 'json', value } };
    },
    read: ({ json }: PlayReply) =>
      asList(asObject(json)['data']).map((one, index): Shown => {
        const bytes = fromBase64(textAt(asObject(one, 'an image'), 'b64_json'));
        return { kind: 'image', bytes, type: 'image/png', name: `picture-${index + 1}.png` };
      }),
  };
}
