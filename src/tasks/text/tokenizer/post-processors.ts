import { z } from 'zod';
import { isObject } from '../../../json.ts';
import { part, readPart, type PartTable } from './part.ts';

/** Readers of the `post_processor` of tokenizer.json, which puts special tokens around one text and around two. */

/** A place in a framed sequence: for a special token's id, or for a text. */
export interface Place {
  readonly what: 'first' | 'second' | number;
  /** Tells the two texts of a pair apart. */
  readonly typeId: number;
}

export interface Frames {
  readonly single: readonly Place[];
  readonly pair: readonly Place[];
}

const BARE: Frames = {
  single: [{ what: 'first', typeId: 0 }],
  pair: [
    { what: 'first', typeId: 0 },
    { what: 'second', typeId: 1 },
  ],
};

const token = z.tuple([z.string(), z.number().int().min(0)]);
const typeId = z.number().int().min(0);
const templatePart = z.union([
  z.strictObject({ SpecialToken: z.strictObject({ id: z.string(), type_id: typeId }) }),
  z.strictObject({ Sequence: z.strictObject({ id: z.enum(['A', 'B']), type_id: typeId }) }),
]);
const specialToken = z.strictObject({
  id: z.string(),
  ids: z.array(z.number().int().min(0)),
  tokens: z.array(z.string()),
});

/** Undefined for a processor that only changes offsets. */
const POST_PROCESSORS: PartTable<Frames | undefined> = {
  BertProcessing: part({ sep: token, cls: token }, ({ sep: [, sep], cls: [, cls] }) =>
    framed(
      [cls, 'first', sep],
      [
        [0, [cls, 'first', sep]],
        [1, ['second', sep]],
      ],
    ),
  ),
  ByteLevel: part(
    {
      add_prefix_space: z.boolean().optional(),
      trim_offsets: z.boolean().optional(),
      use_regex: z.boolean().optional(),
    },
    () => undefined,
  ),
  RobertaProcessing: part(
    {
      sep: token,
      cls: token,
      trim_offsets: z.boolean().optional(),
      add_prefix_space: z.boolean().optional(),
    },
    ({ sep: [, sep], cls: [, cls] }) => framed([cls, 'first', sep], [[0, [cls, 'first', sep, sep, 'second', sep]]]),
  ),
  Sequence: part({ processors: z.array(z.unknown()) }, ({ processors }) => {
    const frames = processors.map((one) => readFrames(one)).filter((one) => one !== undefined);
    if (frames.length > 1) throw new Error('two processors that set special tokens are not supported');
    return frames[0];
  }),
  TemplateProcessing: part(
    { single: z.array(templatePart), pair: z.array(templatePart), special_tokens: z.record(z.string(), specialToken) },
    ({ single, pair, special_tokens: special }) => ({
      single: single.flatMap((one) => placesOf(one, special)),
      pair: pair.flatMap((one) => placesOf(one, special)),
    }),
  ),
};

/** The frames of a post-processor. Throws a plain Error that names what is not supported. */
export function readPostProcessor(definition: unknown): Frames {
  if (definition === null || definition === undefined) return BARE;
  return readFrames(definition) ?? BARE;
}

/** How a tokenizer takes spaces at the edges of its tokens out of their places. */
export interface Trimming {
  /** The first token begins with a space that is not in the text. */
  readonly spaceBefore: boolean;
}

/** Undefined: spaces belong to their tokens' places. */
export function trimmingOf(definition: unknown): Trimming | undefined {
  if (!isObject(definition)) return undefined;
  const { type, trim_offsets: trims, add_prefix_space: spaceBefore, processors } = definition;
  if (type === 'Sequence' && Array.isArray(processors))
    return processors.map(trimmingOf).find((one) => one !== undefined);
  if ((type !== 'ByteLevel' && type !== 'RobertaProcessing') || trims === false) return undefined;
  return { spaceBefore: spaceBefore !== false };
}

function readFrames(definition: unknown): Frames | undefined {
  return readPart(POST_PROCESSORS, definition, 'post-processor');
}

type What = Place['what'];

function framed(single: readonly What[], pair: readonly (readonly [number, readonly What[]])[]): Frames {
  return {
    single: single.map((what) => ({ what, typeId: 0 })),
    pair: pair.flatMap(([type, all]) => all.map((what) => ({ what, typeId: type }))),
  };
}

function placesOf(
  piece: z.output<typeof templatePart>,
  special: Readonly<Record<string, z.output<typeof specialToken>>>,
): Place[] {
  if ('Sequence' in piece)
    return [{ what: piece.Sequence.id === 'A' ? 'first' : 'second', typeId: piece.Sequence.type_id }];
  const { id, type_id: type } = piece.SpecialToken;
  const known = Object.hasOwn(special, id) ? special[id] : undefined;
  if (known === undefined) throw new Error(`special_tokens has no ${id}`);
  return known.ids.map((what) => ({ what, typeId: type }));
}
