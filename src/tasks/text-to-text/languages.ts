import { ServerError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../json.ts';
import { nearName } from '../../near-name.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';

/** How models are told from which language to translate into which. */

export interface LanguagePair {
  readonly source: string | undefined;
  readonly target: string | undefined;
}

/** What a pair of languages does to a translation. */
export interface LanguageUse {
  /** Comes before the source. */
  readonly prefix?: string;
  /** The entry of `task_specific_params` that has further settings. */
  readonly taskName?: string;
  /** Changes the ids of a source with its special tokens. */
  readonly mark?: (ids: readonly number[]) => number[];
  /** The first token of the text. */
  readonly forcedFirst?: number;
}

/** Finds what a pair of languages does. Throws INVALID_INPUT for languages that the model does not have. */
export type Languages = (pair: LanguagePair) => LanguageUse;

/** The spellings of tokens that name a language: of NLLB, of mBART and of M2M100. */
const SPELLINGS = [/^([a-z]{3}_[A-Z][a-z]{3})$/, /^([a-z]{2}_[A-Z]{2})$/, /^__([a-z]{2,3})__$/];
/** Tokens of Marian models that translate into several languages. */
const TARGET_TOKEN = /^>>(.+)<<$/;
const MOST_LISTED = 12;

/** How this model is told its languages; `needed`: it does nothing else, so that they cannot be left out where the model has several. */
export function readLanguages(
  tokenizer: TextTokenizer,
  { config, needed }: { readonly config: JsonObject; readonly needed: boolean },
): Languages {
  const codes = languageTokens(tokenizer);
  if (codes.size > 0) return byTokens(codes, tokenizer, needed);
  const prefixes = languagePrefixes(config);
  if (prefixes.size > 0) return byPrefixes(prefixes, needed);
  return byModel(tokenizer);
}

/** The languages that requests may name; none of a model that translates one pair. Targets of Marian are left to its refusals. */
export function languageNames(tokenizer: TextTokenizer, config: JsonObject): readonly string[] {
  const codes = languageTokens(tokenizer);
  if (codes.size > 0) return [...codes.keys()];
  return [...new Set([...languagePrefixes(config).keys()].flatMap((pair) => pair.split('_to_')))];
}

/** Ids of the tokens that name languages, by language. */
function languageTokens(tokenizer: TextTokenizer): Map<string, number> {
  const families = SPELLINGS.map(() => new Map<string, number>());
  for (const id of tokenizer.specialIds)
    for (const [index, spelling] of SPELLINGS.entries()) {
      const code = spelling.exec(tokenizer.idToToken(id) ?? '')?.[1];
      if (code !== undefined) families[index]?.set(code, id);
    }
  return families.reduce((most, family) => (family.size > most.size ? family : most));
}

/** NLLB, M2M100 and mBART: a token beside the source names its language, and the text begins with that of its own. */
function byTokens(codes: ReadonlyMap<string, number>, tokenizer: TextTokenizer, needed: boolean): Languages {
  const ids = new Set(codes.values());
  const frame = tokenizer.frame([]);
  const place = frame.ids.findIndex((id) => ids.has(id));
  const fromEnd = place >= frame.firstAt && place > 0 ? frame.ids.length - place : undefined;
  const find = (name: string, param: string): number => {
    const id = codes.get(name) ?? codes.get(name.replace(/^__(.*)__$/, '$1'));
    if (id === undefined) throw unknownLanguage(name, [...codes.keys()], param);
    return id;
  };
  return ({ source, target }) => {
    if (target === undefined && needed)
      throw new ServerError(
        'INVALID_INPUT',
        `Parameter "tgt_lang": the language to translate into is needed; there are ${list([...codes.keys()])}.`,
        { param: 'tgt_lang' },
      );
    const own = source === undefined ? undefined : find(source, 'src_lang');
    const mark = (given: readonly number[]): number[] => {
      if (own === undefined) return [...given];
      if (place < 0) return [own, ...given];
      return given.with(fromEnd === undefined ? place : given.length - fromEnd, own);
    };
    return { mark, ...(target === undefined ? {} : { forcedFirst: find(target, 'tgt_lang') }) };
  };
}

/** Prefixes of `task_specific_params`, by `xx_to_yy` (T5). */
function languagePrefixes({ task_specific_params: all }: JsonObject): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, own] of Object.entries(isObject(all) ? all : {})) {
    const pair = /^translation_(.+_to_.+)$/.exec(name)?.[1];
    if (pair !== undefined && isObject(own) && typeof own['prefix'] === 'string') found.set(pair, own['prefix']);
  }
  return found;
}

function byPrefixes(prefixes: ReadonlyMap<string, string>, needed: boolean): Languages {
  const pairs = [...prefixes.keys()];
  return ({ source, target }) => {
    if (source === undefined && target === undefined && !needed) return {};
    const pair = `${source ?? ''}_to_${target ?? ''}`;
    const prefix = prefixes.get(pair);
    if (prefix === undefined)
      throw new ServerError(
        'INVALID_INPUT',
        `Parameters "src_lang" and "tgt_lang": the model has prefixes for ${list(pairs)}. For other languages, write a prefix before the text, and use a model with the task text2text-generation.`,
        { param: source === undefined ? 'src_lang' : 'tgt_lang' },
      );
    return { prefix, taskName: `translation_${pair}` };
  };
}

/** Marian: a model of one pair of languages, or one that reads its target from a token before the text. */
function byModel(tokenizer: TextTokenizer): Languages {
  const targets = new Set<string>();
  for (let id = 0; id < tokenizer.vocabularySize; id += 1) {
    const token = tokenizer.idToToken(id);
    if (token?.startsWith('>>') === true) targets.add(TARGET_TOKEN.exec(token)?.[1] ?? '');
  }
  targets.delete('');
  const own = { source: textOf(tokenizer.config['source_lang']), target: textOf(tokenizer.config['target_lang']) };
  return ({ source, target }) => {
    if (source !== undefined && own.source !== undefined && source !== own.source)
      throw unknownLanguage(source, [own.source], 'src_lang');
    if (target === undefined || target === own.target) return {};
    if (targets.has(target)) return { prefix: `>>${target}<< ` };
    if (own.target === undefined && targets.size === 0) return {};
    throw unknownLanguage(target, targets.size > 0 ? [...targets] : [own.target ?? ''], 'tgt_lang');
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function unknownLanguage(name: string, known: readonly string[], param: string): ServerError {
  const near = nearName(name, known);
  const guess = near === undefined ? '' : ` Did you mean "${near}"?`;
  return new ServerError(
    'INVALID_INPUT',
    `Parameter "${param}": the model has no language "${name.slice(0, 40)}"; there are ${list(known)}.${guess}`,
    { param },
  );
}

function list(names: readonly string[]): string {
  const more = names.length - MOST_LISTED;
  return more > 0 ? `${names.slice(0, MOST_LISTED).join(', ')} and ${more} more` : names.join(', ');
}
