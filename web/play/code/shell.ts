import { Base64Of, type PickedFile, type PlayRequest } from '../types.ts';
import type { CodeSite } from './site.ts';
import { cutAtFiles } from './cut.ts';

/** The request as curl sends it. https://curl.se/docs/manpage.html */

/** A text as one word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

const JSON_HEADER = "-H 'Content-Type: application/json'";

export function curlOf(request: PlayRequest, site: CodeSite): string {
  const { body, accept, answerFile, isStream = false, path } = request;
  const head = [
    `curl ${isStream ? '-N ' : ''}${shellWord(`${site.address}${path}`)}`,
    ...(site.hasKey ? ['-H "Authorization: Bearer $CARPOOL_API_KEY"'] : []),
    ...(accept === undefined ? [] : [`-H ${shellWord(`Accept: ${accept}`)}`]),
  ];
  const tail = answerFile === undefined ? [] : [`-o ${shellWord(answerFile)}`];
  const lines = (...parts: readonly string[]): string => [...head, ...parts, ...tail].join(' \\\n  ');
  switch (body.kind) {
    case 'file':
      return lines(
        `-H ${shellWord(`Content-Type: ${typeOf(body.file)}`)}`,
        `--data-binary ${shellWord(`@${body.file.name}`)}`,
      );
    case 'form':
      return lines(
        ...body.parts.map(([name, value]) =>
          typeof value === 'string'
            ? `--form-string ${shellWord(`${name}=${value}`)}`
            : `-F ${shellWord(`${name}=@${fileWord(value)}`)}`,
        ),
      );
    case 'json':
      if (site.bodyFile !== undefined) return lines(JSON_HEADER, `--data-binary ${shellWord(`@${site.bodyFile}`)}`);
      return jsonLines(body.value, lines);
  }
}

/** A browser gives files of unknown kinds no type. */
function typeOf({ type }: PickedFile): string {
  return type === '' ? 'application/octet-stream' : type;
}

/** A name within `-F`: quotes keep commas and semicolons. */
function fileWord({ name, type }: PickedFile): string {
  const quoted = /[",;\\]/.test(name) ? `"${name.replaceAll(/["\\]/g, '\\$&')}"` : name;
  return `${quoted}${type === '' ? '' : `;type=${type}`}`;
}

/** Files within JSON go in as base64, between the texts around them. */
function jsonLines(value: unknown, lines: (...parts: readonly string[]) => string): string {
  const pieces = cutAtFiles(value);
  const [only] = pieces;
  // Lines of JSON may be indented: no text in it goes on in another.
  if (pieces.length === 1 && typeof only === 'string')
    return lines(JSON_HEADER, `-d ${shellWord(only.replaceAll('\n', '\n  '))}`);
  const written = pieces.map((piece) =>
    piece instanceof Base64Of
      ? `base64 < ${shellWord(piece.file.name)} | tr -d '\\n'`
      : `printf %s ${shellWord(piece)}`,
  );
  return `{ ${written.join('\n  ')}\n} | ${lines(JSON_HEADER, '--data-binary @-')}`;
}
