import { shortFloat32 } from '../../tensors/float-text.ts';

/** From the classes of tokens to those of entities, as transformers' pipeline for token classification has it. */

export const STRATEGIES = ['none', 'simple', 'first', 'average', 'max'] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** A token of a text with its probabilities. */
export interface ScoredToken {
  /** As the vocabulary has it; of an unknown token, the text itself. */
  readonly word: string;
  readonly scores: Float32Array;
  /** In characters of the text. */
  readonly start: number;
  readonly end: number;
  /** In its window, special tokens included. */
  readonly index: number;
  /** It continues the word of the token before. */
  readonly continues: boolean;
}

/** A token or a word with its class. */
interface Judged {
  readonly label: string;
  readonly score: number;
  readonly word: string;
  readonly start: number;
  readonly end: number;
  readonly index?: number;
}

/** One line of the answer. */
export type Entity =
  | { entity: string; score: number; index: number; word: string; start: number; end: number }
  | { entity_group: string; score: number; word: string; start: number; end: number };

export interface EntityOptions {
  readonly strategy: Strategy;
  readonly labels: readonly string[];
  readonly ignored: readonly string[];
  /** The text of tokens. */
  readonly join: (tokens: readonly string[]) => string;
}

/** The entities of a text, one list of tokens for each of its windows; of entities that overlap, the longest, or the likelier of two as long. */
export function findEntities(windows: readonly (readonly ScoredToken[])[], options: EntityOptions): Entity[] {
  const all = windows.flatMap((tokens) => entitiesOf(tokens, options));
  const kept = windows.length > 1 ? withoutOverlaps(all) : all;
  return kept.map((entity) => ({ ...entity, score: shortFloat32(Math.fround(entity.score)) }));
}

function entitiesOf(tokens: readonly ScoredToken[], options: EntityOptions): Entity[] {
  const { strategy, labels, ignored } = options;
  const judged =
    strategy === 'none' || strategy === 'simple'
      ? tokens.map(({ scores, ...token }): Judged => ({ ...token, ...likeliest(scores, labels) }))
      : words(tokens).map((word) => judgeWord(word, options));
  if (strategy === 'none')
    return judged
      .filter(({ label }) => !ignored.includes(label))
      .map(({ label, score, index = 0, word, start, end }) => ({ entity: label, score, index, word, start, end }));
  return grouped(judged, options).filter(
    (entity) => !('entity_group' in entity && ignored.includes(entity.entity_group)),
  );
}

function likeliest(scores: Float32Array, labels: readonly string[]): Pick<Judged, 'label' | 'score'> {
  let best = 0;
  for (let id = 1; id < scores.length; id += 1) if ((scores[id] ?? 0) > (scores[best] ?? 0)) best = id;
  return { label: labels[best] ?? `LABEL_${best}`, score: scores[best] ?? NaN };
}

function words(tokens: readonly ScoredToken[]): ScoredToken[][] {
  const all: ScoredToken[][] = [];
  for (const token of tokens) {
    const last = all.at(-1);
    if (last === undefined || !token.continues) all.push([token]);
    else last.push(token);
  }
  return all;
}

/** A word gets the class of its first token, of its surest one, or of the mean of all. */
function judgeWord(tokens: readonly ScoredToken[], { strategy, labels, join }: EntityOptions): Judged {
  const word = join(tokens.map((token) => token.word));
  const start = tokens[0]?.start ?? 0;
  const end = tokens.at(-1)?.end ?? 0;
  return { word, start, end, ...likeliest(wordScores(tokens, strategy), labels) };
}

function wordScores(tokens: readonly ScoredToken[], strategy: Strategy): Float32Array {
  const [first] = tokens;
  if (first === undefined) return new Float32Array(0);
  if (strategy === 'first') return first.scores;
  if (strategy === 'max')
    return tokens.reduce((best, { scores }) => (Math.max(...scores) > Math.max(...best) ? scores : best), first.scores);
  return first.scores.map((_, id) => tokens.reduce((sum, { scores }) => sum + (scores[id] ?? 0), 0) / tokens.length);
}

/** What a label says of its place in an entity: its first or only token begins one, and after its last or only one the next begins another. */
interface Tag {
  readonly name: string;
  readonly begins: boolean;
  readonly ends: boolean;
}

const PREFIXES: Readonly<Record<string, Omit<Tag, 'name'>>> = {
  B: { begins: true, ends: false },
  I: { begins: false, ends: false },
  // The last and the only token: of BIOES and of BILOU.
  E: { begins: false, ends: true },
  L: { begins: false, ends: true },
  S: { begins: true, ends: true },
  U: { begins: true, ends: true },
};

function tagOf(label: string, known: readonly string[]): Tag {
  const prefix = known.find((one) => label.startsWith(`${one}-`));
  const place = prefix === undefined ? undefined : PREFIXES[prefix];
  return place === undefined ? { name: label, begins: false, ends: false } : { name: label.slice(2), ...place };
}

/** B and I are always marks; the others only in a set of labels that has both of a pair, because a name may begin like that. */
function prefixesOf(labels: readonly string[]): string[] {
  const has = (prefix: string): boolean => labels.some((label) => label.startsWith(`${prefix}-`));
  const pairs = [
    ['E', 'S'],
    ['L', 'U'],
  ].filter((pair) => pair.every(has));
  return ['B', 'I', ...pairs.flat()];
}

function grouped(judged: readonly Judged[], { labels, join }: EntityOptions): Entity[] {
  const prefixes = prefixesOf(labels);
  const groups: Judged[][] = [];
  let last: Tag | undefined;
  for (const one of judged) {
    const tag = tagOf(one.label, prefixes);
    const group = groups.at(-1);
    if (group !== undefined && last !== undefined && tag.name === last.name && !tag.begins && !last.ends)
      group.push(one);
    else groups.push([one]);
    last = tag;
  }
  return groups.map((group) => {
    const [first] = group;
    return {
      entity_group: (first?.label ?? '').replace(/^[^-]*-/, ''),
      score: group.reduce((sum, { score }) => sum + score, 0) / group.length,
      word: join(group.map(({ word }) => word)),
      start: first?.start ?? 0,
      end: group.at(-1)?.end ?? 0,
    };
  });
}

function withoutOverlaps(entities: readonly Entity[]): Entity[] {
  const [first, ...others] = entities.toSorted((one, other) => one.start - other.start);
  if (first === undefined) return [];
  const kept: Entity[] = [];
  let last = first;
  for (const entity of others) {
    if (entity.start >= last.end) {
      kept.push(last);
      last = entity;
    } else {
      const longer = entity.end - entity.start - (last.end - last.start);
      if (longer > 0 || (longer === 0 && entity.score > last.score)) last = entity;
    }
  }
  return [...kept, last];
}
