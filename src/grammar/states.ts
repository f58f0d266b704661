import type { CompiledGrammar } from './compiled.ts';
import { UNREACHABLE } from './distances.ts';
import type { Network } from './network.ts';

/** Most readings of a text that are followed side by side; of more, those that end soonest stay, so that every answer can still end. */
const MOST_READINGS = 1024;
/** What a state takes in memory, roughly: without and with its readings. */
const STATE_BYTES = 300;
const READING_BYTES = 120;

/** A place in the network with the calls around it: `around` is the place behind the innermost call. */
interface Reading {
  readonly id: number;
  readonly node: number;
  readonly around: Reading | undefined;
  /** Tokens to the end of the answer, at most. */
  readonly distance: number;
  readonly within: Map<number, Reading>;
}

/** All that a text can be the beginning of. Equal texts, and texts that leave the same open, have the same state. */
export interface State {
  readonly readings: readonly Reading[];
  /** The text may end here. */
  readonly whole: boolean;
  /** The fewest tokens that end it, at most; 0 where it is whole. */
  readonly distance: number;
  /** By class of bytes: what follows; null: nothing does; undefined: not known yet. */
  readonly next: (State | null | undefined)[];
  /** A bit for each token that may come next; undefined: not known yet. */
  mask: Uint32Array | undefined;
}

/** States of a grammar, made as they are needed and kept. */
export class States {
  readonly start: State;
  /** The class of each byte: those that no edge tells apart have the same. */
  readonly classes: Uint8Array;
  /** Memory of all states, roughly. */
  bytes = 0;
  /** Readings that were followed by a byte so far. */
  work = 0;
  readonly #network: Network;
  readonly #distances: Uint32Array;
  readonly #examples: readonly number[];
  readonly #known = new Map<string, State>();
  readonly #outermost = new Map<number, Reading>();
  #readings = 0;

  constructor({ network, distances }: CompiledGrammar) {
    this.#network = network;
    this.#distances = distances;
    const { classes, examples } = classesOf(network);
    this.classes = classes;
    this.#examples = examples;
    this.start = this.#state([this.#reading(network.root.start, undefined)]) ?? this.#add('', [], true);
  }

  /** The state after a byte of a class; null where none can come. */
  step(state: State, group: number): State | null {
    const known = state.next[group];
    if (known !== undefined) return known;
    const byte = this.#examples[group] ?? 0;
    this.work += state.readings.length;
    const { from, ranges, to } = this.#network.bytes;
    const reached: Reading[] = [];
    for (const { node, around } of state.readings)
      for (let edge = from[node] ?? 0; edge < (from[node + 1] ?? 0); edge += 1) {
        const range = ranges[edge] ?? 0;
        if (range >> 8 <= byte && byte <= (range & 255)) reached.push(this.#reading(to[edge] ?? 0, around));
      }
    const next = reached.length === 0 ? null : this.#state(reached);
    state.next[group] = next;
    return next;
  }

  /** The same state among these: for one that other, forgotten states led to. */
  adopt(state: State): State {
    const adopted = state.readings.map((reading) => this.#adopted(reading));
    return this.#add(keyOf(adopted, state.whole), adopted, state.whole);
  }

  #adopted({ node, around }: Reading): Reading {
    return this.#reading(node, around === undefined ? undefined : this.#adopted(around));
  }

  /** The state of readings, from which edges that take nothing, calls and ends have been followed; null where no text ends from there. */
  #state(reached: readonly Reading[]): State | null {
    const open = [...reached];
    const seen = new Set(open);
    const readings: Reading[] = [];
    let whole = false;
    const add = (reading: Reading): void => {
      if (reading.distance === UNREACHABLE || seen.has(reading)) return;
      seen.add(reading);
      open.push(reading);
    };
    for (let reading = open.pop(); reading !== undefined; reading = open.pop()) {
      if (reading.distance === UNREACHABLE) continue;
      const { node, around } = reading;
      if (this.#network.final[node] === 1) {
        if (around === undefined) whole = true;
        else add(around);
      }
      this.#follow(reading, add);
      const { from } = this.#network.bytes;
      if ((from[node] ?? 0) < (from[node + 1] ?? 0)) readings.push(reading);
    }
    if (readings.length === 0 && !whole) return null;
    if (readings.length > MOST_READINGS) {
      readings.sort((one, other) => one.distance - other.distance || one.id - other.id);
      readings.length = MOST_READINGS;
    }
    return this.#add(keyOf(readings, whole), readings, whole);
  }

  /** Follows the edges that take nothing, and the calls, of a reading's node. */
  #follow({ node, around }: Reading, add: (reading: Reading) => void): void {
    const { empty, calls, final, bytes } = this.#network;
    for (let edge = empty.from[node] ?? 0; edge < (empty.from[node + 1] ?? 0); edge += 1)
      add(this.#reading(empty.to[edge] ?? 0, around));
    for (let edge = calls.from[node] ?? 0; edge < (calls.from[node + 1] ?? 0); edge += 1) {
      const behind = calls.to[edge] ?? 0;
      // Where a rule ends with a call, there is nothing to come back to: a list written as recursion stays as shallow as it is.
      const isLast =
        final[behind] === 1 && !hasEdges(bytes, behind) && !hasEdges(empty, behind) && !hasEdges(calls, behind);
      add(this.#reading(calls.rules[edge] ?? 0, isLast ? around : this.#reading(behind, around)));
    }
  }

  #add(key: string, readings: readonly Reading[], whole: boolean): State {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const distance = whole ? 0 : Math.min(...readings.map((reading) => reading.distance));
    const next = new Array<undefined>(this.#examples.length).fill(undefined);
    const state: State = { readings, whole, distance, next, mask: undefined };
    this.#known.set(key, state);
    this.bytes += STATE_BYTES + 8 * (next.length + readings.length);
    return state;
  }

  #reading(node: number, around: Reading | undefined): Reading {
    const siblings = around?.within ?? this.#outermost;
    const known = siblings.get(node);
    if (known !== undefined) return known;
    const rest = around === undefined ? 0 : around.distance;
    const own = this.#distances[node] ?? UNREACHABLE;
    const distance = Math.min(UNREACHABLE, own + rest);
    const reading = { id: this.#readings, node, around, distance, within: new Map<number, Reading>() };
    this.#readings += 1;
    this.bytes += READING_BYTES;
    siblings.set(node, reading);
    return reading;
  }
}

function hasEdges({ from }: { readonly from: Uint32Array }, node: number): boolean {
  return (from[node] ?? 0) < (from[node + 1] ?? 0);
}

function keyOf(readings: readonly Reading[], whole: boolean): string {
  const ids = readings.map(({ id }) => id).sort((one, other) => one - other);
  return `${whole ? 'w' : ''}${ids.join()}`;
}

/** Bytes that every edge takes or refuses together are of one class; with a byte of each class. */
function classesOf({ bytes }: Network): { classes: Uint8Array; examples: number[] } {
  const cuts = new Uint8Array(257);
  for (const range of bytes.ranges) {
    cuts[range >> 8] = 1;
    cuts[(range & 255) + 1] = 1;
  }
  const classes = new Uint8Array(256);
  const examples = [0];
  for (let byte = 1; byte < 256; byte += 1) {
    if (cuts[byte] === 1) examples.push(byte);
    classes[byte] = examples.length - 1;
  }
  return { classes, examples };
}
