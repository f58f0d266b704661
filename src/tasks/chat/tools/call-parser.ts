import { beginningAtEnd } from '../beginning-at-end.ts';
import { CallDraft, type ReplyToolCall, type ToolCallDelta } from './call-draft.ts';
import { CallReader } from './call-reader.ts';
import { MOST_HEADER_CHARACTERS, type ToolFormat } from './formats.ts';
import type { ReadNotation, TextArguments } from './notations.ts';

/** What a parser needs to know of an answer. */
export interface CallRules {
  readonly format: ToolFormat;
  /** The tools' names. */
  readonly names: readonly string[];
  /** Which of their arguments are texts, where a call's notation does not tell. */
  readonly texts?: TextArguments;
  /** False: the answer ends with its first call. */
  readonly parallel: boolean;
  /** Calls are told piece by piece, so one that turns out to be broken stays a call. Otherwise it is given back as text. */
  readonly inPieces: boolean;
}

export interface ParsedPiece {
  /** What the model says besides its calls. */
  readonly text: string;
  readonly calls: readonly ToolCallDelta[];
}

/** A model that calls without end is stopped, and a conversation may have no more of them in a turn. */
export const MOST_CALLS = 128;

/** Characters that may stand in front of a call in a list, and behind one: models close more braces than they opened. */
const SEPARATOR = /^[\s,;[\]`]/;
const SEPARATOR_BEHIND = /^[\s,;[\]`}]/;

/**
 * Tells the calls in a text that comes in pieces from the rest of it. What may be the beginning of a call is held back; if no call follows, it is
 * given back as text. A list of calls that was cut before its first call is dropped.
 */
export class CallParser {
  readonly #rules: CallRules;
  readonly #calls: CallDraft[] = [];
  /** `start`: the answer may still be a call without a marker. `calls`: behind a marker, or in such a call. */
  #place: 'start' | 'text' | 'calls';
  /** Text that is not read yet. */
  #rest = '';
  /** Characters of it in which a notation's call has begun and has not ended. */
  #waited = 0;
  /** Text since the marker or the last whole call. */
  #taken = '';
  #isBare = false;
  /** Calls since the marker. */
  #callsHere = 0;
  /** The marker that ends the list was read; another list may follow, or text. */
  #isClosed = false;
  #reader: CallReader | undefined;
  #text = '';
  #done = false;

  constructor(rules: CallRules) {
    this.#rules = rules;
    this.#place = rules.format.bare === true ? 'start' : 'text';
  }

  /** The answer is whole, whatever comes after it. */
  get done(): boolean {
    return this.#done;
  }

  /** The calls so far. */
  get calls(): readonly ReplyToolCall[] {
    return this.#calls.map((call) => call.reply());
  }

  push(piece: string): ParsedPiece {
    this.#rest += piece;
    while (!this.#done && this.#advance());
    return this.#told();
  }

  /** The rest, once no more comes; `isCut` if the answer was not at its end. */
  end(isCut: boolean): ParsedPiece {
    if (this.#done) return this.#told();
    if (this.#place === 'calls') this.#endCalls(isCut);
    if (this.#calls.length === 0 || this.#rest.trim() !== '') this.#text += this.#rest;
    this.#rest = '';
    return this.#told();
  }

  #endCalls(isCut: boolean): void {
    const draft = this.#reader?.draft;
    if (draft !== undefined && this.#calls.includes(draft)) return;
    if (this.#isClosed && this.#rest === '') return;
    if (this.#reader?.isEnough === true && draft !== undefined) this.#complete(draft);
    else if (isCut && draft?.isBegun === true) this.#calls.push(draft);
    else if (isCut && !this.#isBare) this.#rest = '';
    else this.#giveBack();
  }

  #told(): ParsedPiece {
    const text = this.#text;
    this.#text = '';
    return { text, calls: this.#calls.flatMap((call) => call.delta() ?? []) };
  }

  /** Reads on; false if more text is needed. */
  #advance(): boolean {
    if (this.#place === 'start') return this.#start();
    if (this.#place === 'text') return this.#findCalls();
    return this.#reader === undefined ? this.#findCall() : this.#readCall(this.#reader);
  }

  #take(length: number): void {
    this.#taken += this.#rest.slice(0, length);
    this.#rest = this.#rest.slice(length);
  }

  #start(): boolean {
    const first = this.#rest.trimStart().charAt(0);
    if (first === '') return false;
    this.#place = 'text';
    if (first === '{') this.#enter(0);
    return true;
  }

  /** Begins a list of calls behind so many characters. */
  #enter(length: number): void {
    this.#place = 'calls';
    this.#isBare = length === 0;
    this.#isClosed = false;
    this.#callsHere = 0;
    this.#taken = '';
    this.#take(length);
  }

  #findCalls(): boolean {
    const found = this.#rules.format.begin
      .map((marker) => ({ place: this.#rest.indexOf(marker), length: marker.length }))
      .filter(({ place }) => place >= 0)
      .sort((one, other) => one.place - other.place)[0];
    const held = this.#rules.format.begin.map((marker) => beginningAtEnd(this.#rest, marker));
    const before = this.#rest.slice(0, found?.place ?? this.#rest.length - Math.max(0, ...held));
    // Space before a call is no part of the text, so it waits, too.
    const text = before.trimEnd();
    this.#text += text;
    this.#rest = this.#rest.slice(text.length);
    if (found === undefined) return false;
    this.#enter(before.length - text.length + found.length);
    return true;
  }

  /** Within a list of calls: the next call, or the list's end. */
  #findCall(): boolean {
    if (this.#rest === '') return false;
    const { begin, end, header } = this.#rules.format;
    const marker = [...begin, ...end].find((one) => this.#rest.startsWith(one));
    if (marker !== undefined) {
      this.#passMarker(marker, begin.includes(marker));
      return true;
    }
    if ([...begin, ...end].some((one) => one.startsWith(this.#rest))) return false;
    if (this.#separator.test(this.#rest)) {
      this.#take(1);
      return true;
    }
    if (this.#isClosed) {
      this.#giveBack();
      return true;
    }
    if (this.#rest.startsWith('{')) return this.#begin(undefined);
    if (this.#rules.format.notation !== undefined) return this.#readNotation(this.#rules.format.notation);
    const found = header?.exec(this.#rest);
    if (found?.[1] !== undefined) {
      this.#take(found[0].length);
      return this.#begin(found[1]);
    }
    if (header !== undefined && this.#rest.length < MOST_HEADER_CHARACTERS) return false;
    this.#giveBack();
    return true;
  }

  get #separator(): RegExp {
    if (this.#isClosed) return /^\s/;
    return this.#callsHere > 0 ? SEPARATOR_BEHIND : SEPARATOR;
  }

  #passMarker(marker: string, opens: boolean): void {
    if (opens && (this.#isClosed || this.#callsHere > 0)) this.#enter(0);
    this.#take(marker.length);
    this.#isBare = false;
    this.#isClosed = !opens;
    if (!opens) this.#taken = '';
  }

  #readNotation(read: ReadNotation): boolean {
    const call = read(this.#rest, this.#rules.texts ?? {}, this.#waited);
    this.#waited = call === 'waits' ? this.#rest.length : 0;
    if (call === 'waits') return false;
    if (call === 'broken') this.#giveBack();
    else {
      const draft = new CallDraft(this.#calls.length);
      draft.name = call.name;
      draft.arguments = JSON.stringify(call.arguments);
      this.#take(call.length);
      this.#complete(draft);
    }
    return true;
  }

  #begin(name: string | undefined): boolean {
    const draft = new CallDraft(this.#calls.length);
    draft.name = name;
    this.#reader = new CallReader(draft, this.#isBare);
    return true;
  }

  #readCall(reader: CallReader): boolean {
    const { draft } = reader;
    const { state, taken } = reader.read(this.#rest);
    this.#take(taken);
    const isTold = this.#rules.inPieces && draft.isBegun && this.#mayBeCalled(draft);
    if (isTold && !this.#calls.includes(draft)) this.#calls.push(draft);
    if (state === 'broken' && reader.isEnough) this.#complete(draft);
    else if (state === 'broken' || !this.#mayBeCalled(draft)) this.#giveBack();
    else if (state === 'complete') this.#complete(draft);
    else return false;
    return true;
  }

  /** Any JSON may stand without a marker, so there only known names make a call. */
  #mayBeCalled({ name }: CallDraft): boolean {
    return !this.#isBare || name === undefined || this.#rules.names.includes(name);
  }

  #complete(draft: CallDraft): void {
    if (!this.#calls.includes(draft)) {
      if (!draft.isValid) {
        this.#giveBack();
        return;
      }
      this.#calls.push(draft);
    }
    this.#reader = undefined;
    this.#callsHere += 1;
    this.#taken = '';
    if (!this.#rules.parallel || this.#calls.length === MOST_CALLS) {
      this.#done = true;
      this.#rest = '';
    }
  }

  /** What was taken is no call. Behind a call it can only be separators, unless another had begun. */
  #giveBack(): void {
    if (this.#callsHere === 0 || this.#isClosed || this.#reader !== undefined) this.#text += this.#taken;
    this.#taken = '';
    this.#reader = undefined;
    this.#place = 'text';
  }
}
