/** Cuts texts into what is spoken at once. */

/** Longest piece in UTF-16 units: a graph's time and memory grow with its square. */
const MOST_CHARACTERS = 400;
/** A shorter sentence is spoken with the next one, as long as both are short. */
const FEW_CHARACTERS = 24;
const PAUSES = [',', ';', ':', ')', '—', '–', '、', '，', '；', '：'];

/** Most UTF-16 units that are looked at together: the time of Intl.Segmenter grows with the square of them. */
const WINDOW = 2000;

const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });

/** Words after which a full stop ends no sentence, in the languages that write them so. */
const ABBREVIATION =
  /(?:^|[\s("'])(?:\p{Lu}|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|No|Nr|vs|etc|e\.g|i\.e|z\.B|Sra?|Mme|Mlle|bzw|ca)\.$/u;

/**
 * The sentences of a text (Unicode Standard Annex 29), trimmed, in order; none that has neither letter nor digit. Line ends end sentences, abbreviations do not.
 * Long sentences are cut, if possible after a comma or between words.
 */
export function sentencesOf(text: string): string[] {
  const sentences: string[] = [];
  for (const line of text.split(/[\r\n]+/)) for (const one of joined(line)) sentences.push(...cut(one));
  return sentences.filter(isSpoken);
}

/** Whether a text has anything to be read aloud. */
export function isSpoken(text: string): boolean {
  return /[\p{L}\p{N}]/u.test(text);
}

function joined(line: string): string[] {
  const sentences: string[] = [];
  let open = '';
  for (const segment of segmentsOf(line)) {
    open += segment;
    const isShort = open.trim().length < FEW_CHARACTERS;
    const goesOn = ABBREVIATION.test(open.trimEnd()) || (isShort && !/[.!?…。！？]["'”’»)]*\s*$/u.test(open));
    if (goesOn && open.length < WINDOW) continue;
    sentences.push(open.trim());
    open = '';
  }
  if (open.trim() !== '') sentences.push(open.trim());
  return sentences;
}

/** What the segmenter takes for the sentences of a line, window by window; longer ones are cut. */
function* segmentsOf(line: string): Generator<string> {
  let from = 0;
  while (from < line.length) {
    const window = line.slice(from, from + WINDOW);
    let segments = Array.from(segmenter.segment(window), ({ segment }) => segment);
    // The last one may go on behind the window.
    if (from + window.length < line.length)
      segments = segments.length > 1 ? segments.slice(0, -1) : [window.slice(0, placeToCut(window))];
    for (const segment of segments) {
      yield segment;
      from += segment.length;
    }
  }
}

function cut(sentence: string): string[] {
  const pieces: string[] = [];
  let rest = sentence;
  while (rest.length > MOST_CHARACTERS) {
    const end = placeToCut(rest.slice(0, MOST_CHARACTERS));
    pieces.push(rest.slice(0, end).trim());
    rest = rest.slice(end).trim();
  }
  return [...pieces, rest];
}

/** The last comma or its kin in the later half, else the last space there, else the end, but never within a character. */
function placeToCut(head: string): number {
  const half = head.length / 2;
  const pause = Math.max(...PAUSES.map((mark) => head.lastIndexOf(mark)));
  if (pause >= half) return pause + 1;
  const space = head.lastIndexOf(' ');
  if (space >= half) return space;
  return /[\uD800-\uDBFF]$/.test(head) ? head.length - 1 : head.length;
}
