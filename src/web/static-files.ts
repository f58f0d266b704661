import { readFile } from 'node:fs/promises';

/** Files that the build has packed for browsers (scripts/pack-web.js): their bytes in two codings, their types and tags. */

/** Codings in which they lie on disk, the smaller first. */
export const PACKED = ['br', 'gzip'] as const;
export type Packed = (typeof PACKED)[number];

const ENDINGS: Readonly<Record<Packed, string>> = { br: 'br', gzip: 'gz' };

export interface StaticFile {
  readonly name: string;
  readonly type: string;
  /** Another one for other bytes; without quotes. */
  readonly etag: string;
}

interface Index {
  readonly build: string;
  readonly files: Readonly<Record<string, { readonly type: string; readonly etag: string }>>;
}

/** A folder of packed files with its index. Each file is read once, when it is first asked for. */
export class StaticFiles {
  /** Changes with every file. */
  readonly build: string;
  readonly #folder: URL;
  readonly #index: Index;
  readonly #read = new Map<string, Promise<Buffer>>();

  private constructor(folder: URL, index: Index) {
    this.#folder = folder;
    this.#index = index;
    this.build = index.build;
  }

  /** `folder` ends with a slash. Rejects where the build has packed nothing there. */
  static async open(folder: URL): Promise<StaticFiles> {
    return new StaticFiles(folder, JSON.parse(await readFile(new URL('files.json', folder), 'utf8')) as Index);
  }

  /** The file of that name, as the index has it; undefined if there is none. */
  find(name: string): StaticFile | undefined {
    const file = Object.hasOwn(this.#index.files, name) ? this.#index.files[name] : undefined;
    return file === undefined ? undefined : { name, ...file };
  }

  bytes({ name }: StaticFile, coding: Packed): Promise<Buffer> {
    const file = `${name}.${ENDINGS[coding]}`;
    let bytes = this.#read.get(file);
    if (bytes === undefined) {
      bytes = readFile(new URL(file, this.#folder));
      bytes.catch(() => this.#read.delete(file));
      this.#read.set(file, bytes);
    }
    return bytes;
  }
}
