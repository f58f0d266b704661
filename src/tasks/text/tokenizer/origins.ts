/**
 * Where the UTF-16 units of a text come from, once normalizers and pre-tokenizers have changed it. As in the reference, a unit stands for whole
 * characters of the original text, and what is added takes the place of a neighbour.
 */
export interface Origins {
  /** For each unit, the first unit of the original text that it stands for. */
  readonly starts: Int32Array;
  /** And the one after the last. */
  readonly ends: Int32Array;
}

/** A text with the origins of its units. */
export interface Located {
  readonly text: string;
  readonly origins: Origins;
}

/** The origins of an original text: each character stands for itself. */
export function ownOrigins(text: string): Origins {
  const starts = Int32Array.from({ length: text.length }, (_, at) => at);
  const ends = starts.map((at) => at + 1);
  for (const { index } of text.matchAll(/[\u{10000}-\u{10ffff}]/gu)) {
    starts[index + 1] = index;
    ends[index] = index + 2;
  }
  return { starts, ends };
}

/** The origins of a part of a text. */
export function sliceOrigins({ starts, ends }: Origins, from: number, to: number): Origins {
  return { starts: starts.subarray(from, to), ends: ends.subarray(from, to) };
}

/** The stretch of the original text that a part of a changed text stands for; an empty one for an empty part. */
export function spanOf({ starts, ends }: Origins, from: number, to: number): readonly [start: number, end: number] {
  return from < to ? [starts[from] ?? 0, ends[to - 1] ?? 0] : [starts[from] ?? 0, starts[from] ?? 0];
}

/** A text put together of parts, each of which stands for a stretch of the text before. */
export class LocatedText {
  text = '';
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  readonly #before: Origins;

  constructor(before: Origins) {
    this.#before = before;
  }

  /** Adds text that stands, as a whole, for the units from `from` to `to` of the text before. */
  add(text: string, from: number, to: number): void {
    const [start, end] = spanOf(this.#before, from, to);
    this.text += text;
    for (let unit = 0; unit < text.length; unit += 1) {
      this.#starts.push(start);
      this.#ends.push(end);
    }
  }

  /** Adds units of the text before as they are. */
  keep(text: string, from: number, to: number): void {
    this.text += text.slice(from, to);
    for (let at = from; at < to; at += 1) {
      this.#starts.push(this.#before.starts[at] ?? 0);
      this.#ends.push(this.#before.ends[at] ?? 0);
    }
  }

  finish(): Located {
    return { text: this.text, origins: { starts: Int32Array.from(this.#starts), ends: Int32Array.from(this.#ends) } };
  }
}

const ASCII = /^[\0-\x7f]*$/;
/** Characters with those that join them: what normalizers change together. */
const CLUSTERS = /\r\n|[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]+|[^][\p{M}\p{Cf}\p{Emoji_Modifier}\u1160-\u11ff]*/gu;

/** The text changed by a function that changes characters by themselves, or with those that join them, wherever they stand. */
export function rewritten({ text, origins }: Located, change: (text: string) => string): Located {
  const whole = change(text);
  if (whole.length === text.length && ASCII.test(text) && ASCII.test(whole)) return { text: whole, origins };
  const built = new LocatedText(origins);
  for (const { 0: cluster, index } of text.matchAll(CLUSTERS)) addChanged(built, cluster, { index, change });
  return built.text === whole ? built.finish() : roughly({ text, origins }, whole);
}

/** Adds a changed cluster: by its characters if they change by themselves, else the first new character for the first old one, and so on. */
function addChanged(
  built: LocatedText,
  cluster: string,
  { index, change }: { readonly index: number; readonly change: (text: string) => string },
): void {
  const together = change(cluster);
  const old = Array.from(cluster);
  const single = old.map((character) => (old.length > 1 ? change(character) : together));
  const isSingle = single.join('') === together;
  const parts = isSingle ? single : Array.from(together);
  let at = index;
  for (const [part, character] of parts.entries()) {
    const end = at + (old[part]?.length ?? 0);
    built.add(character, at === end ? at - 1 : at, at === end ? at : end);
    at = end;
  }
}

/** Where a change was not by characters: what both texts begin and end with stands for itself, all between for all between. */
function roughly({ text, origins }: Located, whole: string): Located {
  const most = Math.min(text.length, whole.length);
  let begin = 0;
  while (begin < most && text[begin] === whole[begin]) begin += 1;
  let end = 0;
  while (end < most - begin && text[text.length - 1 - end] === whole[whole.length - 1 - end]) end += 1;
  const built = new LocatedText(origins);
  built.keep(text, 0, begin);
  built.add(whole.slice(begin, whole.length - end), begin, text.length - end);
  built.keep(text, text.length - end, text.length);
  return built.finish();
}
