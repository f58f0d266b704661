import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Clock } from '../core/ticket.ts';
import type { Storage } from '../storage/storage.ts';

/** What a transfer has shown. */
export interface Speed {
  /** Million bits a second; of a transfer that was cut off, those up to then. */
  readonly mbps: number;
  readonly isWhole: boolean;
}

export interface SpeedTest {
  readonly storage: Storage;
  /** A prefix that ends in `/`, below which a test object is stored for a moment; or an object, which is only downloaded. */
  readonly place: string;
  /** Size of the test object. */
  readonly bytes: number;
  /** Slower is not needed to be known: the transfer is cut off once it can no longer be as fast. */
  readonly leastMbps: { readonly upload: number; readonly download: number };
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Where the test object of one attempt lies, and the file beside it. */
interface Objects {
  readonly place: string;
  readonly file: string;
}

const BITS = 8;
const MEGA = 1e6;
const PIECE_BYTES = 1024 * 1024;

/**
 * Measures the speed to a storage: up, where the place is a prefix, then down. A direction whose least speed is 0 is left out. Rejects if the storage
 * refuses, or no byte moves.
 */
export async function measureSpeed(test: SpeedTest): Promise<{ readonly upload?: Speed; readonly download?: Speed }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-speed-'));
  const isPrefix = test.place.endsWith('/');
  const objects: Objects = {
    place: isPrefix ? `${test.place}carpool-speed-${randomUUID()}` : test.place,
    file: path.join(folder, 'object'),
  };
  try {
    if (!isPrefix) {
      const facts = await test.storage.head(test.place, { signal: test.signal });
      return { download: await download({ ...test, bytes: facts?.size ?? test.bytes }, objects) };
    }
    await writeRandom(objects.file, test.bytes);
    const upload = await timed(test, test.leastMbps.upload, (call) =>
      test.storage.upload(objects.file, objects.place, call),
    );
    const wanted = test.leastMbps.upload > 0 ? { upload } : {};
    return upload.isWhole && test.leastMbps.download > 0
      ? { ...wanted, download: await download(test, objects) }
      : wanted;
  } finally {
    if (isPrefix) await test.storage.remove(objects.place, { signal: AbortSignal.timeout(LAST_STEP_MS) }).catch(ignore);
    await rm(folder, { recursive: true, force: true });
  }
}

const LAST_STEP_MS = 10_000;
const ignore = (): void => undefined;

async function download(test: SpeedTest, { place, file }: Objects): Promise<Speed> {
  return timed(test, test.leastMbps.download, async (call) => {
    await test.storage.download(place, `${file}-down`, call);
  });
}

/** Runs a transfer for as long as it can still be fast enough. */
async function timed(
  { bytes, clock, signal }: SpeedTest,
  leastMbps: number,
  transfer: (call: { signal: AbortSignal; onBytes: (bytes: number) => void }) => Promise<void>,
): Promise<Speed> {
  const startMs = clock.now();
  const slow = new AbortController();
  let moved = 0;
  const speed = (isWhole: boolean): Speed => ({
    mbps: (moved * BITS) / MEGA / Math.max(0.001, (clock.now() - startMs) / 1000),
    isWhole,
  });
  let cutOff: Speed | undefined;
  const cut = (): void => {
    // Before the transfer ends, because a storage takes back what it has counted of a part that does.
    cutOff = speed(false);
    slow.abort();
  };
  // Without a least speed nothing ends it but the limit of all checks.
  const forget = leastMbps > 0 ? clock.after((bytes * BITS * 1000) / (leastMbps * MEGA), cut) : ignore;
  try {
    await transfer({ signal: AbortSignal.any([signal, slow.signal]), onBytes: (some) => void (moved += some) });
    return speed(true);
  } catch (error) {
    if (cutOff === undefined || signal.aborted) throw error;
    if (cutOff.mbps <= 0) throw new Error('no byte was moved', { cause: error });
    return cutOff;
  } finally {
    forget();
  }
}

/** Bytes that nothing on the way can compress. */
async function writeRandom(file: string, bytes: number): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    for (let left = bytes; left > 0; left -= PIECE_BYTES) await handle.write(randomBytes(Math.min(left, PIECE_BYTES)));
  } finally {
    await handle.close();
  }
}
