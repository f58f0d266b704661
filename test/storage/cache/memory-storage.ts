import { writeFile } from 'node:fs/promises';
import { StorageError, type DownloadCall, type ObjectFacts, type StorageCall } from '../../../src/storage/storage.ts';

/** Objects in memory, by place, that count what is asked of them. */
export class MemoryStorage {
  readonly objects = new Map<string, { readonly bytes: Buffer; readonly validator?: string }>();
  readonly downloads: string[] = [];
  /** Awaited by each download before it writes. */
  gate: (place: string, call: DownloadCall) => Promise<void> = () => Promise.resolve();

  put(place: string, text: string | Buffer, validator?: string): void {
    this.objects.set(place, { bytes: Buffer.from(text), ...(validator === undefined ? {} : { validator }) });
  }

  head(place: string, { signal }: StorageCall): Promise<ObjectFacts | undefined> {
    signal.throwIfAborted();
    const found = this.objects.get(place);
    if (found === undefined) return Promise.resolve(undefined);
    const { bytes, validator } = found;
    return Promise.resolve({ size: bytes.length, ...(validator === undefined ? {} : { validator }) });
  }

  async download(place: string, file: string, call: DownloadCall): Promise<ObjectFacts> {
    this.downloads.push(place);
    await this.gate(place, call);
    call.signal.throwIfAborted();
    const facts = await this.head(place, call);
    const bytes = this.objects.get(place)?.bytes;
    if (facts === undefined || bytes === undefined) throw new StorageError('NOT_FOUND', place);
    if (bytes.length > (call.limitBytes ?? Infinity)) throw new StorageError('TOO_LARGE', place);
    await writeFile(file, bytes);
    return facts;
  }
}

/** A download that waits until it is let go, or ends by its signal. */
export function held(): { gate: MemoryStorage['gate']; begun: Promise<void>; release: () => void } {
  let release = (): void => undefined;
  let begin = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const gate: MemoryStorage['gate'] = (_, { signal }) => {
    begin();
    return Promise.race([
      released,
      new Promise<never>((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
      ),
    ]);
  };
  return { gate, begun, release };
}
