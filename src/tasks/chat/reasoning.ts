import type { TextTokenizer } from '../text/tokenizer.ts';
import { beginningAtEnd } from './beginning-at-end.ts';

/** What models think before they answer, told apart from the answer. */

/** The marks around a model's thoughts. */
interface ThoughtMarks {
  readonly begin: string;
  readonly end: string;
}

/** A model's marks, and whether the prompt of this answer has the first of them already. Plain data. */
export interface Thinking extends ThoughtMarks {
  readonly begun: boolean;
}

/** By family, as the models' own chat templates write them. */
const KNOWN_MARKS: readonly ThoughtMarks[] = [
  // DeepSeek R1 and its distillates, Qwen 3 and QwQ, SmolLM 3, GLM 4.5, MiniMax, Nemotron, EXAONE 4.
  { begin: '<think>', end: '</think>' },
  // Magistral.
  { begin: '[THINK]', end: '[/THINK]' },
  // Seed-OSS.
  { begin: '<seed:think>', end: '</seed:think>' },
  // Kimi-VL-Thinking.
  { begin: '◁think▷', end: '◁/think▷' },
  // EXAONE Deep.
  { begin: '<thought>', end: '</thought>' },
];

/** The marks that a model's chat template or vocabulary has; undefined for a model that does not think aloud. */
export function thoughtMarksOf(template: string, tokenizer: TextTokenizer): ThoughtMarks | undefined {
  return KNOWN_MARKS.find(({ end }) => template.includes(end) || tokenizer.tokenToId(end) !== undefined);
}

/** The marks for an answer to a prompt, whose end may be the first mark: templates of models that always think write it. */
export function thinkingAfter(prompt: string, marks: ThoughtMarks): Thinking {
  return { ...marks, begun: prompt.trimEnd().endsWith(marks.begin) };
}

/** A piece of an answer; either may be empty. */
export interface Part {
  readonly reasoning: string;
  readonly text: string;
}

/**
 * Splits an answer that comes in pieces. Thoughts come first, or there are none; the white space around them belongs to the marks. What may yet turn out to
 * be a mark, or white space before one, is held back.
 */
export class ReasoningSplit {
  readonly #marks: ThoughtMarks;
  readonly #spellings: ReadonlyMap<number, string>;
  #where: 'start' | 'thoughts' | 'gap' | 'answer';
  #held = '';
  #hasThoughts = false;
  /** Tokens of the thoughts so far, marks included. */
  tokens = 0;

  constructor(thinking: Thinking, tokenizer: TextTokenizer) {
    this.#marks = thinking;
    this.#where = thinking.begun ? 'thoughts' : 'start';
    this.#spellings = new Map(
      [thinking.begin, thinking.end].flatMap((mark) => {
        const id = tokenizer.tokenToId(mark);
        return id !== undefined && tokenizer.specialIds.has(id) ? [[id, mark]] : [];
      }),
    );
  }

  /** Counts a token; gives its text if it is a mark and a special token, which have none elsewhere. */
  spelling(token: number): string | undefined {
    if (this.#where === 'answer') return undefined;
    if (this.#where !== 'gap') this.tokens += 1;
    return this.#spellings.get(token);
  }

  /** Adds a piece, and gives what is now certain. */
  push(piece: string): Part {
    if (this.#where === 'answer') return { reasoning: '', text: piece };
    this.#held += piece;
    if (this.#where === 'start') this.#begin();
    const reasoning = this.#where === 'thoughts' ? this.#think() : '';
    return { reasoning, text: this.#answer() };
  }

  /** What was held back, once no more comes. */
  end(): Part {
    const { reasoning, text } = this.push('');
    const held = this.#held;
    this.#held = '';
    if (this.#where === 'thoughts') return { reasoning: reasoning + held.trimEnd(), text };
    return { reasoning, text: this.#where === 'start' ? text + held : text };
  }

  #begin(): void {
    const { begin } = this.#marks;
    const text = this.#held.trimStart();
    if (text.startsWith(begin)) {
      this.#held = text.slice(begin.length);
      this.#where = 'thoughts';
    } else if (!begin.startsWith(text)) {
      this.#where = 'answer';
      this.tokens = 0;
    }
  }

  #think(): string {
    const { end } = this.#marks;
    if (!this.#hasThoughts) this.#held = this.#held.trimStart();
    const place = this.#held.indexOf(end);
    const certain = place >= 0 ? place : this.#held.length - beginningAtEnd(this.#held, end);
    const thoughts = this.#held.slice(0, certain).trimEnd();
    if (thoughts !== '') this.#hasThoughts = true;
    if (place >= 0) this.#where = 'gap';
    this.#held = place >= 0 ? this.#held.slice(place + end.length) : this.#held.slice(thoughts.length);
    return thoughts;
  }

  /** The held text, once the answer has begun with something other than white space behind thoughts. */
  #answer(): string {
    if (this.#where === 'gap') {
      this.#held = this.#held.trimStart();
      if (this.#held !== '') this.#where = 'answer';
    }
    if (this.#where !== 'answer') return '';
    const text = this.#held;
    this.#held = '';
    return text;
  }
}
