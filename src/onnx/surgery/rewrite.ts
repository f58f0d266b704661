import { readFields, type Field, type FileFields, type Range } from '../protobuf/fields.ts';
import { Message } from '../protobuf/message.ts';

/** ONNX files with some of their fields changed. All surgery on graphs is done by edits here. */

/** Reads the fields of an ONNX file, and says which are to change. Throws a plain Error where it cannot be done. */
export type Edit = (file: FileFields, changes: Changes) => void;

/** What is to become of the fields of a file; what is not told stays, byte for byte. Fields are those that the edit has read. */
export class Changes {
  /** By the first byte of the field. */
  readonly #replaced = new Map<number, Message>();
  /** By the first byte of the message. */
  readonly #added = new Map<number, Message>();

  get isEmpty(): boolean {
    return this.#replaced.size === 0 && this.#added.size === 0;
  }

  /** Puts fields in a field's place; of any number, or none. */
  replace({ start }: Field, fields: Message): void {
    this.#replaced.set(start, fields);
  }

  drop(field: Field): void {
    this.replace(field, new Message());
  }

  /** Adds fields behind those of a message. */
  add({ from }: Range, fields: Message): void {
    const added = this.#added.get(from) ?? new Message();
    this.#added.set(from, added.fields(fields));
  }

  /** The message at this place, changed. Its unchanged parts are read from the file when it is finished. */
  apply(file: FileFields, message: Range): Message {
    const changed = new Message();
    let kept = message.from;
    const keepUpTo = (end: number): void => {
      if (end > kept) changed.raw(file.part({ from: kept, to: end }));
    };
    for (const field of file.fields(message)) {
      const replaced = this.#replaced.get(field.start);
      if (replaced === undefined && !this.#isWithin(field)) continue;
      keepUpTo(field.start);
      if (replaced === undefined) changed.field(field.number, this.apply(file, field));
      else changed.fields(replaced);
      kept = field.to;
    }
    keepUpTo(message.to);
    return changed.fields(this.#added.get(message.from) ?? new Message());
  }

  /** Whether something changes in a field's content. */
  #isWithin({ from, to, delimited }: Field): boolean {
    if (!delimited) return false;
    if (this.#added.has(from)) return true;
    for (const positions of [this.#replaced, this.#added])
      for (const at of positions.keys()) if (at >= from && at < to) return true;
    return false;
  }
}

/**
 * The bytes of an ONNX file after these edits; undefined where they change nothing. Blocks. The file is read into the result and nowhere else, so
 * that its weights are in memory once; they can be given back by `buffer.resize(0)`. Throws a plain Error where the file is none, and
 * what the edits throw.
 */
export function rewritten(path: string, edits: readonly Edit[]): Uint8Array<ArrayBuffer> | undefined {
  return readFields(path, (file) => {
    const changes = new Changes();
    for (const edit of edits) edit(file, changes);
    return changes.isEmpty ? undefined : changes.apply(file, file.whole).finish();
  });
}
