import { Readable } from 'node:stream';
import { StorageError, type WriteCall } from '../storage.ts';
import { refusal } from './answers.ts';
import { discard, type HttpClient } from './client.ts';
import { Pace } from './pace.ts';
import { retrying } from './retry.ts';

/** What is to be stored; it can be read again and again. */
export interface Content {
  readonly size: number;
  chunks(): AsyncIterable<Uint8Array>;
}

/** The condition of `onlyIfAbsent` does not hold; 409 where another request was just storing something there. */
const EXISTS: ReadonlySet<number> = new Set([409, 412]);

/**
 * Stores an object by one PUT with its length, as a presigned URL takes it; again where that fails for reasons that may pass. A server stores a body whole or not at all. Rejects with
 * a StorageError: FORBIDDEN where the URL has expired.
 */
export async function putObject(
  { client, place, shown }: { readonly client: HttpClient; readonly place: string; readonly shown: string },
  content: Content,
  { signal, onBytes, contentType, onlyIfAbsent = false }: WriteCall,
): Promise<void> {
  const headers = {
    'content-length': String(content.size),
    ...(contentType === undefined ? {} : { 'content-type': contentType }),
    ...(onlyIfAbsent ? { 'if-none-match': '*' } : {}),
  };
  await retrying(shown, { ...client.limits, signal }, async () => {
    const pace = new Pace(client.limits.paceMs, signal);
    let sent = 0;
    async function* body(): AsyncIterable<Uint8Array> {
      for await (const chunk of content.chunks()) {
        yield chunk;
        sent += chunk.byteLength;
        pace.note(chunk.byteLength);
        onBytes?.(chunk.byteLength);
      }
    }
    try {
      const stream = Readable.from(body(), { objectMode: false });
      const answer = await client.send(place, { method: 'PUT', headers, body: stream, signal: pace.signal });
      discard(answer);
      if (onlyIfAbsent && EXISTS.has(answer.statusCode))
        throw new StorageError('EXISTS', `${shown}: there is something already`);
      if (answer.statusCode < 200 || answer.statusCode > 299) throw refusal(answer, shown);
    } catch (error) {
      onBytes?.(-sent);
      throw pace.signal.aborted && !(error instanceof StorageError) ? pace.signal.reason : error;
    } finally {
      pace.stop();
    }
  });
}
