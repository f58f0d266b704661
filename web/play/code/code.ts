import type { PlayRequest } from '../types.ts';
import { hasFiles } from './cut.ts';
import { pythonOf } from './python.ts';
import { curlOf } from './shell.ts';
import type { CodeSite } from './site.ts';
import { typescriptOf } from './typescript.ts';
import { carpoolClientOf } from './carpool-client.ts';

/** The request that the page sends, as programs send it. The key is never in it: they read `CARPOOL_API_KEY`. */

export const LANGUAGES = ['curl', 'Python', 'TypeScript', 'Carpool client'] as const;
export type Language = (typeof LANGUAGES)[number];

/** A longer body would hide the code around it. */
const LONGEST_BODY = 4000;
export const BODY_FILE = 'request.json';

/** Whether the body is so long that the code reads it from a file, which the page offers to save. */
export function isLongBody({ body }: PlayRequest): boolean {
  return body.kind === 'json' && !hasFiles(body.value) && JSON.stringify(body.value).length > LONGEST_BODY;
}

const WRITERS = { curl: curlOf, Python: pythonOf, TypeScript: typescriptOf, 'Carpool client': carpoolClientOf };

/** The code of a request; `bodyFile` of the site is chosen here. */
export function codeOf(request: PlayRequest, language: Language, site: Pick<CodeSite, 'address' | 'hasKey'>): string {
  const bodyFile = isLongBody(request) ? BODY_FILE : undefined;
  return WRITERS[language](request, { ...site, address: site.address.replace(/\/+$/, ''), bodyFile });
}
