import type { CompiledGrammar } from './compiled.ts';
import { GrammarError } from './grammar-error.ts';
import { States, type State } from './states.ts';
import { spellingOf } from './token-trie.ts';

/** Most memory of the states and masks of one grammar; beyond, all are forgotten and found again as they are needed. */
const MOST_BYTES = 16 * 2 ** 20;
/** Readings followed for one mask: half a second's work, in which nothing else happens on the lane. */
const MOST_WORK = 1_000_000;

/** A grammar in use on a lane: what is found out about it for one answer serves all others. */
export class Grammar {
  readonly compiled: CompiledGrammar;
  /** How many masks were found out, each once. */
  masks = 0;
  #states: States;
  readonly #path: State[] = [];

  constructor(compiled: CompiledGrammar) {
    this.compiled = compiled;
    this.#states = new States(compiled);
  }

  /** Memory of what is kept, roughly. */
  get bytes(): number {
    return this.#states.bytes;
  }

  get start(): State {
    return this.#states.start;
  }

  /** Forgets all that was found out. */
  forget(): void {
    this.#states = new States(this.compiled);
  }

  /** Tokens that may come next, a bit each. */
  mask(state: State): Uint32Array {
    if (state.mask === undefined) {
      state.mask = this.maskWithin(state, Infinity);
      this.masks += 1;
      this.#states.bytes += state.mask.byteLength;
    }
    return state.mask;
  }

  /** Tokens that may come next, after which at most `tokens` more end the answer. */
  maskWithin(state: State, tokens: number): Uint32Array {
    const { trie } = this.compiled;
    const mask = new Uint32Array(Math.ceil(trie.vocabulary / 32));
    const { bytes, depths, skips, tokens: ends, twins } = trie;
    const { classes } = this.#states;
    const path = this.#path;
    path[0] = state;
    const mostWork = this.#states.work + MOST_WORK;
    for (let place = 0; place < bytes.length;) {
      const depth = depths[place] as number;
      const next = this.#step(path[depth - 1] as State, classes[bytes[place] as number] as number);
      if (next === null) {
        place = skips[place] as number;
        continue;
      }
      if (this.#states.work > mostWork) throw new GrammarError('it leaves too much open at once');
      path[depth] = next;
      if (next.distance <= tokens)
        for (let end = ends[place] as number; end !== 0; end = twins[end - 1] as number)
          mask[(end - 1) >> 5] = (mask[(end - 1) >> 5] as number) | (1 << ((end - 1) & 31));
      place += 1;
    }
    return mask;
  }

  /** The state after a token; null where it may not come. */
  after(state: State, token: number): State | null {
    const { classes } = this.#states;
    const spelling = spellingOf(this.compiled.trie, token);
    if (spelling.length === 0) return null;
    let at: State | null = state;
    for (const byte of spelling) {
      at = this.#step(at, classes[byte] as number);
      if (at === null) return null;
    }
    return at;
  }

  /** The state as it is now known: call it with what an answer kept, before anything else, as states may have been forgotten since. */
  current(state: State, states: States): { state: State; states: States } {
    if (this.#states.bytes > MOST_BYTES) this.forget();
    return states === this.#states ? { state, states } : { state: this.#states.adopt(state), states: this.#states };
  }

  get states(): States {
    return this.#states;
  }

  #step(state: State, group: number): State | null {
    const known = state.next[group];
    return known === undefined ? this.#states.step(state, group) : known;
  }
}

/** Where one answer stands in its grammar. */
export class Matcher {
  readonly #grammar: Grammar;
  #state: State;
  #states: States;

  constructor(grammar: Grammar) {
    this.#grammar = grammar;
    this.#state = grammar.start;
    this.#states = grammar.states;
  }

  /** The answer may end here. */
  get whole(): boolean {
    return this.#state.whole;
  }

  /** The answer can only end here. */
  get over(): boolean {
    return this.#state.whole && this.#state.readings.length === 0;
  }

  /** Whether all of a draft may come next, token by token: how many of them may. */
  accepted(draft: readonly number[]): number {
    this.#refresh();
    let state: State | null = this.#state;
    for (const [index, token] of draft.entries()) {
      state = this.#grammar.after(state, token);
      if (state === null) return index;
    }
    return draft.length;
  }

  /** Tokens that may come next, a bit each. */
  mask(): Uint32Array {
    this.#refresh();
    return this.#grammar.mask(this.#state);
  }

  /** Tokens that may come next, after which at most `tokens` more end the answer. */
  maskWithin(tokens: number): Uint32Array {
    this.#refresh();
    return this.#grammar.maskWithin(this.#state, tokens);
  }

  /** Whether at most `tokens` more end the answer after this one. */
  endsWithin(token: number, tokens: number): boolean {
    const next = this.#grammar.after(this.#state, token);
    return next !== null && next.distance <= tokens;
  }

  /** Goes on by a token that the mask has. */
  take(token: number): void {
    const next = this.#grammar.after(this.#state, token);
    if (next === null) throw new Error('the token does not fit the grammar');
    this.#state = next;
  }

  #refresh(): void {
    const { state, states } = this.#grammar.current(this.#state, this.#states);
    this.#state = state;
    this.#states = states;
  }
}
