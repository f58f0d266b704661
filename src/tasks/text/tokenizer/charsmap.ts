/** SentencePiece's `precompiled_charsmap`: replacements of characters, as a trie over UTF-8 bytes and the texts that it leads to. */

/** The normalizer of a charsmap. Throws a plain Error if the map is cut short. */
export function charsmapNormalizer(base64: string): (text: string) => string {
  const map = new Charsmap(Buffer.from(base64, 'base64'));
  const known = new Map<string, string | undefined>();
  const look = (part: string): string | undefined => {
    if (known.has(part)) return known.get(part);
    const found = map.find(part);
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(part, found);
    return found;
  };
  const cluster = (text: string): string => {
    const whole = Buffer.byteLength(text) < CLUSTER_BYTES ? look(text) : undefined;
    if (whole !== undefined) return whole;
    let out = '';
    for (const character of text) out += look(character) ?? character;
    return out;
  };
  return (text) => {
    let out = '';
    let from = 0;
    for (const { 0: stretch, index } of text.matchAll(CLUSTERED)) {
      for (const character of text.slice(from, index)) out += look(character) ?? character;
      for (const { segment } of SEGMENTER.segment(stretch)) out += cluster(segment);
      from = index + stretch.length;
    }
    for (const character of text.slice(from)) out += look(character) ?? character;
    return out;
  };
}

/** Longer clusters are looked up character by character. */
const CLUSTER_BYTES = 6;
const MAX_KNOWN = 10_000;
const SEGMENTER = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Characters that join others into one cluster; without them each character is a cluster. */
const JOINING =
  '\\p{M}\\p{Cf}\\p{Grapheme_Extend}\\p{Regional_Indicator}\\p{Emoji_Modifier}\\r\\n\\u0e33\\u0eb3\\u0d4e\\u1100-\\u11ff\\ua960-\\ua97f\\ud7b0-\\ud7ff';
const CLUSTERED = new RegExp(`(?:[^${JOINING}]?[${JOINING}]+)+[^${JOINING}]?`, 'gu');

/** A double array as darts-clone writes it, then texts that end in a zero byte. */
class Charsmap {
  readonly #units: Uint32Array;
  readonly #texts: Buffer;

  constructor(bytes: Buffer) {
    const trieBytes = bytes.length < 4 ? Infinity : bytes.readUInt32LE(0);
    if (4 + trieBytes > bytes.length) throw new Error('precompiled_charsmap is cut short');
    this.#units = Uint32Array.from({ length: trieBytes >>> 2 }, (_, index) => bytes.readUInt32LE(4 + 4 * index));
    this.#texts = bytes.subarray(4 + trieBytes);
  }

  /** The replacement of a text: that of its shortest beginning in the map, as in the reference. */
  find(text: string): string | undefined {
    const units = this.#units;
    let node = offsetOf(units[0] ?? 0);
    for (const byte of Buffer.from(text, 'utf8')) {
      if (byte === 0) return undefined;
      node ^= byte;
      const unit = units[node];
      // The lowest eight bits are the byte that leads here; the highest marks values.
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return undefined;
      node ^= offsetOf(unit);
      if (((unit >>> 8) & 1) === 1) return this.#textAt((units[node] ?? 0) & 0x7fffffff);
    }
    return undefined;
  }

  #textAt(index: number): string {
    const end = this.#texts.indexOf(0, index);
    return this.#texts.toString('utf8', index, end === -1 ? this.#texts.length : end);
  }
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & (1 << 9)) >>> 6);
}
