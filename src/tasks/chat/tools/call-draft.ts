import { randomBytes } from 'node:crypto';
import { isObject, type JsonObject } from '../../../json.ts';

/** A call in a reply, as OpenAI's API has it. */
export interface ReplyToolCall {
  readonly id: string;
  readonly type: 'function';
  /** `arguments` is a JSON text: an object, unless the answer was cut. */
  readonly function: { readonly name: string; readonly arguments: string };
}

/** A further piece of a call: id, type and name come with the first. */
export interface ToolCallDelta {
  readonly index: number;
  readonly id?: string;
  readonly type?: 'function';
  readonly function: { readonly name?: string; readonly arguments: string };
}

/** A call that is being read. */
export class CallDraft {
  readonly id = `call_${randomBytes(12).toString('hex')}`;
  readonly index: number;
  name: string | undefined;
  arguments: string | undefined;
  #told = -1;

  constructor(index: number) {
    this.index = index;
  }

  /** Some of it was told, so it can no longer be taken back. */
  get isTold(): boolean {
    return this.#told >= 0;
  }

  /** Its arguments have begun. */
  get isBegun(): boolean {
    return this.name !== undefined && this.arguments !== undefined;
  }

  /** Name and arguments are there, and the arguments are an object in JSON. */
  get isValid(): boolean {
    return this.name !== undefined && parseObject(this.arguments ?? '{}') !== undefined;
  }

  /** What was not told yet; undefined if there is nothing new. */
  delta(): ToolCallDelta | undefined {
    const { index, id, name } = this;
    const given = this.arguments ?? '{}';
    const isFirst = !this.isTold;
    const piece = given.slice(Math.max(0, this.#told));
    if (name === undefined || (!isFirst && piece === '')) return undefined;
    this.#told = given.length;
    return isFirst
      ? { index, id, type: 'function', function: { name, arguments: piece } }
      : { index, function: { arguments: piece } };
  }

  reply(): ReplyToolCall {
    return { id: this.id, type: 'function', function: { name: this.name ?? '', arguments: this.arguments ?? '{}' } };
  }
}

/** The object that a JSON text is; undefined if it is none. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
