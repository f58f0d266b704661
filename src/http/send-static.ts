import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { PACKED, type Packed, type StaticFile, type StaticFiles } from '../web/static-files.ts';
import { chooseEncoding } from './encoding.ts';
import type { Exchange } from './exchange.ts';
import { header } from './headers.ts';

/** Headers of pages: nothing comes from elsewhere, nobody frames them, and no script or style stands within them. */
export const PAGE_SECURITY = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
};

/** Under a name that changes with the content. */
export const FOR_GOOD = 'public, max-age=31536000, immutable';
/** Asked for again each time, which its tag makes cheap. */
export const ASK_AGAIN = 'no-cache';

/** Sends a packed file in a coding that the client takes, or 304 where it has it. */
export async function sendStatic(
  exchange: Exchange,
  { files, file }: { readonly files: StaticFiles; readonly file: StaticFile },
  { cacheControl, vary = 'Accept-Encoding' }: { readonly cacheControl: string; readonly vary?: string },
): Promise<void> {
  const { request, response, id } = exchange;
  const coding = chooseEncoding(header(request, 'accept-encoding'), PACKED) as Packed | undefined;
  // Bytes of another coding are another representation (RFC 9110 8.8.3).
  const etag = `"${file.etag}${coding === undefined ? '' : `-${coding}`}"`;
  const headers = { ...PAGE_SECURITY, 'Cache-Control': cacheControl, ETag: etag };
  if (hasTag(header(request, 'if-none-match'), etag)) {
    response.writeHead(304, { ...headers, Vary: vary, 'X-Request-Id': id });
    response.end();
    return;
  }
  const chunk =
    coding === undefined ? await promisify(gunzip)(await files.bytes(file, 'gzip')) : await files.bytes(file, coding);
  exchange.send(
    {
      contentType: file.type,
      chunks: [chunk],
      headers: { ...headers, ...(coding === undefined ? {} : { 'Content-Encoding': coding }) },
    },
    vary,
  );
}

/** Whether an If-None-Match header names the tag (RFC 9110 13.1.2); a proxy that compresses makes tags weak. */
function hasTag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(',').some((one) => one.trim().replace(/^W\//, '') === etag || one.trim() === '*');
}
