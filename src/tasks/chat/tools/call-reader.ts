import type { CallDraft } from './call-draft.ts';
import { JsonExtent, valueEnd } from './json-extent.ts';

/**
 * Reads one call from a text that comes in pieces: `{"name": NAME, "arguments": {...}}`, in any order, with other members or without; or, where the
 * name has been read before, the arguments alone.
 */

export type CallState =
  /** More text is needed. */
  | 'waits'
  /** The call is complete; what follows it is left. */
  | 'complete'
  /** This is no call. */
  | 'broken';

const NAMES = ['name', 'function', 'tool_name'];
const ARGUMENTS = ['arguments', 'parameters', 'args'];
/** Members that calls have besides. */
const OTHERS = ['type', 'id', 'index'];
/** The longest name of a member, and of a tool. */
const MOST_NAME_CHARACTERS = 200;
/** The longest value that is read as a whole, i.e. again with each piece. */
const MOST_VALUE_CHARACTERS = 32_768;

export class CallReader {
  readonly draft: CallDraft;
  /** Whether members that no call has end the reading at once: then a JSON answer need not be held back. */
  readonly #isBare: boolean;
  #place: 'open' | 'members' | 'arguments';
  #objects = 0;
  #extent = new JsonExtent();

  /** A draft with a name gets the arguments alone. */
  constructor(draft: CallDraft, isBare: boolean) {
    this.draft = draft;
    this.#isBare = isBare;
    this.#place = draft.name === undefined ? 'open' : 'arguments';
    if (this.#place === 'arguments') draft.arguments = '';
  }

  /** The members were read as far as a call needs; a closing brace may be missing. */
  get isEnough(): boolean {
    return this.#place === 'members' && this.draft.isBegun;
  }

  /** Takes as much of the text as it can read; what is left must come again, with more. */
  read(text: string): { readonly state: CallState; readonly taken: number } {
    let taken = 0;
    for (;;) {
      const before = taken;
      const { state, length } = this.#step(text.slice(taken));
      taken += length;
      if (state !== 'waits') return { state, taken };
      if (taken === before || taken === text.length) return { state, taken };
    }
  }

  #step(text: string): { readonly state: CallState; readonly length: number } {
    if (this.#place === 'arguments') return this.#readArguments(text);
    const space = /^[\s,]*/.exec(text)?.[0].length ?? 0;
    const next = text.charAt(space);
    if (next === '') return { state: 'waits', length: 0 };
    if (next === '{' && this.#place === 'open') return this.#open(space + 1);
    if (next === '}' && this.#place === 'members') {
      this.#objects -= 1;
      return { state: this.#objects === 0 ? 'complete' : 'waits', length: space + 1 };
    }
    if (next !== '"' || this.#place !== 'members') return { state: 'broken', length: 0 };
    return this.#readMember(text, space);
  }

  #open(length: number): { readonly state: CallState; readonly length: number } {
    this.#objects += 1;
    this.#place = 'members';
    return { state: 'waits', length };
  }

  #readMember(text: string, start: number): { readonly state: CallState; readonly length: number } {
    const end = start + valueEnd(text.slice(start));
    const isLong = text.length - start > MOST_NAME_CHARACTERS;
    if (end < start) return { state: isLong ? 'broken' : 'waits', length: 0 };
    const member = stringOf(text.slice(start, end)) ?? '';
    const isKnown = [...NAMES, ...ARGUMENTS, ...OTHERS].includes(member);
    if (!isKnown && this.#isBare) return { state: 'broken', length: 0 };
    const colon = /^\s*:\s*(?=\S)/.exec(text.slice(end));
    if (colon === null) return { state: /^\s*:?\s*$/.test(text.slice(end)) ? 'waits' : 'broken', length: 0 };
    const at = end + colon[0].length;
    const first = text.charAt(at);
    if (member === 'function' && first === '{') return this.#open(at + 1);
    if (ARGUMENTS.includes(member) && first === '{') {
      this.#extent = new JsonExtent();
      this.draft.arguments = '';
      this.#place = 'arguments';
      return { state: 'waits', length: at };
    }
    const length = valueEnd(text.slice(at));
    if (length < 0) return { state: text.length - at > MOST_VALUE_CHARACTERS ? 'broken' : 'waits', length: 0 };
    return { state: this.#take(member, text.slice(at, at + length)) ? 'waits' : 'broken', length: at + length };
  }

  /** A member's value, unless it is arguments that come piece by piece. */
  #take(member: string, value: string): boolean {
    if (NAMES.includes(member)) {
      const name = stringOf(value);
      if (name === undefined || name === '' || name.length > MOST_NAME_CHARACTERS) return false;
      this.draft.name = name;
    } else if (ARGUMENTS.includes(member)) {
      // Some models write the arguments as a JSON text within a text.
      const given = value === 'null' ? '{}' : stringOf(value);
      if (given === undefined) return false;
      this.draft.arguments = given.trim() === '' ? '{}' : given;
    }
    return true;
  }

  #readArguments(text: string): { readonly state: CallState; readonly length: number } {
    const end = this.#extent.read(text);
    const length = end < 0 ? text.length : end;
    this.draft.arguments = (this.draft.arguments ?? '') + text.slice(0, length);
    if (end < 0) return { state: 'waits', length };
    if (this.#objects === 0) return { state: 'complete', length };
    this.#place = 'members';
    return { state: 'waits', length };
  }
}

function stringOf(json: string): string | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
