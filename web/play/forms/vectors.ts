import { asList, asObject, numberAt, numbers, textAt } from '../json-shape.ts';
import {
  Base64Of,
  type FileField,
  type ModelAbout,
  type PickedFile,
  type Play,
  type PlayReply,
  type PlayRequest,
  type Shown,
  type Values,
  FormProblem,
} from '../types.ts';
import { filesOf, given, neededText, neededTexts, numberOf, textOf } from '../values.ts';
import { similarities } from '../vectors.ts';
import { exampleText } from './text.ts';

/** Tasks whose replies are compared: vectors, and rankings. */

const OTHERS = ['How do I get to the nearest library?', 'The stock market fell on Monday.'];

export function embeddingsPlay(model: ModelAbout): Play {
  return {
    id: 'embeddings',
    title: 'Compare texts',
    fields: [
      {
        kind: 'texts',
        name: 'texts',
        label: 'Texts',
        one: 'text',
        value: [exampleText(model, 'Where is the next library?'), ...OTHERS],
      },
      {
        kind: 'number',
        name: 'dimensions',
        label: 'Dimensions',
        value: '',
        min: 1,
        step: 1,
        placeholder: 'all',
        help: 'keeps only the first numbers of each vector',
        isMore: true,
      },
      {
        kind: 'choice',
        name: 'input_type',
        label: 'Input type',
        value: '',
        isMore: true,
        choices: ['', 'query', 'document'].map((value) => ({ value, label: value || 'none' })),
      },
    ],
    request(values) {
      const input = neededTexts(values, 'texts', { what: 'text' });
      const more = {
        dimensions: numberOf(values, 'dimensions'),
        input_type: textOf(values, 'input_type') || undefined,
      };
      return embeddings(model, input, more);
    },
    read: (reply, values) => compared(reply, neededTexts(values, 'texts', { what: 'text' })),
  };
}

/** Vectors in numbers: the page and the reader of its code compare them. */
function embeddings({ name }: ModelAbout, input: readonly unknown[], more: object): PlayRequest {
  const value = { model: name, input, encoding_format: 'float', ...given(more) };
  return { path: '/v1/embeddings', body: { kind: 'json', value } };
}

function compared({ json }: PlayReply, names: readonly string[]): Shown[] {
  const vectors = asList(asObject(json)['data']).map((one) => numbers(asObject(one, 'an embedding')['embedding']));
  const shown: Shown[] = vectors.length > 1 ? [{ kind: 'matrix', names, values: similarities(vectors) }] : [];
  const [first] = vectors;
  if (first !== undefined) shown.push({ kind: 'vector', name: names[0] ?? '', values: first });
  return shown;
}

const IMAGES: FileField = { kind: 'file', of: 'image', name: 'images', label: 'Pictures', isMany: true };
const SOUNDS: FileField = { kind: 'file', of: 'audio', name: 'sounds', label: 'Sounds', isMany: true };

export function imageVectorsPlay(model: ModelAbout): Play {
  const example = model.example !== undefined && 'file' in model.example ? { example: model.example } : {};
  return {
    id: 'vectors',
    title: 'Compare pictures',
    fields: [{ ...IMAGES, ...example }],
    request(values) {
      const files = filesOf(values, 'images');
      if (files.length === 0) throw new FormProblem('images', 'Choose pictures first.');
      return embeddings(
        model,
        files.map((file) => ({ image: new Base64Of(file) })),
        {},
      );
    },
    read: (reply, values) =>
      compared(
        reply,
        filesOf(values, 'images').map(({ name }) => name),
      ),
  };
}

export function soundVectorsPlay(model: ModelAbout): Play {
  const example = model.example !== undefined && 'file' in model.example ? { example: model.example } : {};
  return {
    id: 'vectors',
    title: 'Compare sounds',
    fields: [{ ...SOUNDS, ...example }],
    request(values) {
      const files = filesOf(values, 'sounds');
      if (files.length === 0) throw new FormProblem('sounds', 'Choose sounds first.');
      const input = files.map((file) => ({ audio: new Base64Of(file) }));
      return embeddings(model, input, {});
    },
    read: (reply, values) =>
      compared(
        reply,
        filesOf(values, 'sounds').map(({ name }) => name),
      ),
  };
}

/** Texts and pictures in one space. */
export function mixedVectorsPlay(model: ModelAbout): Play {
  return besideTexts(model, {
    title: 'Compare pictures and texts',
    files: { ...IMAGES, mayBeEmpty: true },
    texts: ['a photo of a cat', 'a photo of a dog'],
    item: (file) => ({ image: new Base64Of(file) }),
  });
}

/** Texts and sounds in one space. */
export function soundsAndTextsPlay(model: ModelAbout): Play {
  return besideTexts(model, {
    title: 'Compare sounds and texts',
    files: { ...SOUNDS, mayBeEmpty: true },
    texts: ['the sound of rain', 'the sound of a dog'],
    item: (file) => ({ audio: new Base64Of(file) }),
  });
}

function besideTexts(
  model: ModelAbout,
  {
    title,
    files,
    texts,
    item,
  }: {
    readonly title: string;
    readonly files: FileField;
    readonly texts: readonly string[];
    readonly item: (file: PickedFile) => object;
  },
): Play {
  const words = (values: Values): readonly string[] => neededTexts(values, 'texts', { what: 'text' });
  return {
    id: 'mixed-vectors',
    title,
    fields: [files, { kind: 'texts', name: 'texts', label: 'Texts', one: 'text', value: texts }],
    request: (values) =>
      embeddings(model, [...filesOf(values, files.name).map(item), ...words(values).map((text) => ({ text }))], {}),
    read: (reply, values) =>
      compared(reply, [...filesOf(values, files.name).map(({ name }) => name), ...words(values)]),
  };
}

export function rerankPlay({ name }: ModelAbout): Play {
  const documents = [
    'A road has lanes for cars that go one way.',
    'Cats purr when they are content.',
    'Swimmers keep to their lanes in the pool.',
  ];
  return {
    id: 'rerank',
    title: 'Rank',
    fields: [
      { kind: 'text', name: 'query', label: 'Query', value: 'What is a lane?' },
      { kind: 'texts', name: 'documents', label: 'Documents', one: 'document', value: documents },
      {
        kind: 'number',
        name: 'top_n',
        label: 'Max results',
        value: '',
        min: 0,
        step: 1,
        placeholder: 'all',
        isMore: true,
      },
    ],
    request(values) {
      const query = neededText(values, 'query', 'The query');
      const value = {
        model: name,
        query,
        documents: neededTexts(values, 'documents', { what: 'document' }),
        ...given({ top_n: numberOf(values, 'top_n') }),
      };
      return { path: '/v1/rerank', body: { kind: 'json', value } };
    },
    read({ json }, values): Shown[] {
      const texts = neededTexts(values, 'documents', { what: 'document' });
      const rows = asList(asObject(json)['results']).map((one) => {
        const row = asObject(one, 'a result');
        return { text: texts[numberAt(row, 'index')] ?? textAt(row, 'index'), score: numberAt(row, 'relevance_score') };
      });
      return [{ kind: 'ranking', rows }];
    },
  };
}
