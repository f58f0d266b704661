import { readFile, stat } from 'node:fs/promises';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';

/** How long a change may go unnoticed. */
const EVERY_MS = 2000;
/** Lists of keys and certificates are smaller. */
const MOST_BYTES = 4 * 1024 * 1024;

interface WatchOptions {
  readonly files: readonly string[];
  /** The options that name them, for the log. */
  readonly names: string;
  /** Takes the contents; throws an Error, in words, if they are no good. */
  readonly take: (contents: readonly Buffer[]) => void;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

/**
 * Files that are read again when they have changed. They are looked at by their facts, because notices of the file system miss links that are set to another file,
 * by which Kubernetes renews secrets. Contents that are no good are told, and what was taken before stays in force.
 */
export class WatchedFiles {
  readonly #options: WatchOptions;
  readonly #timer: NodeJS.Timeout;
  #seen: string;
  #looking: Promise<void> | undefined;

  private constructor(options: WatchOptions, seen: string) {
    this.#options = options;
    this.#seen = seen;
    this.#timer = setInterval(() => void this.look(), EVERY_MS).unref();
  }

  /** Takes the contents for the first time. Rejects where they cannot be read or are no good. */
  static async open(options: WatchOptions): Promise<WatchedFiles> {
    const seen = await factsOf(options.files);
    options.take(await contentsOf(options.files));
    return new WatchedFiles(options, seen);
  }

  /** Takes the contents if they have changed. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const { files, names, take, log } = this.#options;
    // Before the contents: what is written while they are read is seen the next time.
    const facts = await factsOf(files).catch(messageOf);
    if (facts === this.#seen) return;
    this.#seen = facts;
    try {
      take(await contentsOf(files));
      log.info({ option: names }, 'changed files are in force');
    } catch (error) {
      log.warn({ option: names, reason: reasonOf(error) }, 'changed files are not taken; the old ones stay in force');
    }
  }
}

/** The message of a system error holds a path of this machine. */
function reasonOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : messageOf(error);
}

async function factsOf(files: readonly string[]): Promise<string> {
  const facts = await Promise.all(files.map((file) => stat(file, { bigint: true })));
  return facts.map(({ dev, ino, size, mtimeNs, ctimeNs }) => [dev, ino, size, mtimeNs, ctimeNs].join()).join(' ');
}

function contentsOf(files: readonly string[]): Promise<Buffer[]> {
  return Promise.all(
    files.map(async (file) => {
      if ((await stat(file)).size > MOST_BYTES) throw new Error(`it is larger than ${MOST_BYTES} bytes`);
      return readFile(file);
    }),
  );
}
