import { isObject } from '../json-shape.ts';
import type { PlayRequest } from '../types.ts';
import { formLines, KEY, literal, read, readsFiles, STEP, text } from './script.ts';
import type { CodeSite } from './site.ts';

/** The request in TypeScript by the server's own client (docs/client.md), which tries again as the server says. */

export function carpoolClientOf(request: PlayRequest, site: CodeSite): string {
  // Only a call of `post` reads its body from a file.
  const own = request.path === SPEECH ? { ...site, bodyFile: undefined } : site;
  const lines = linesOf(request, own);
  const files = [
    ...(readsFiles(request.body, own) ? ['readFile'] : []),
    ...(lines.some((line) => line.includes('writeFile(')) ? ['writeFile'] : []),
  ];
  return [
    ...(files.length === 0 ? [] : [`import { ${files.join(', ')} } from 'node:fs/promises';`]),
    "import { CarpoolClient } from 'carpool/client';",
    '',
    `const client = new CarpoolClient({ baseUrl: ${text(site.address)}${site.hasKey ? `, apiKey: ${KEY} ?? ''` : ''} });`,
    ...lines,
    '',
  ].join('\n');
}

const SPEECH = '/v1/audio/speech';
const PREDICT = /^\/predict\/([^/]+)$/;

function linesOf(request: PlayRequest, site: CodeSite): string[] {
  const { path, body, isStream = false } = request;
  const model = PREDICT.exec(path)?.[1];
  if (body.kind === 'file') return predictFile(request, decodeURIComponent(model ?? ''));
  if (body.kind === 'form') return [...formLines(body.parts), ...calling(path, 'form', isStream)];
  if (path === SPEECH) return speechLines(request, body.value as SpeechBody);
  const { value } = body;
  const isPlain = site.bodyFile === undefined && isObject(value);
  if (model !== undefined && isPlain && Object.keys(value).every((name) => name === 'data' || name === 'parameters'))
    return predictJson(request, decodeURIComponent(model), value);
  if (!isPlain) return calling(path, `JSON.parse(await readFile(${text(site.bodyFile ?? '')}, 'utf8'))`, isStream);
  // The client asks for a stream by itself.
  const entries = Object.entries(value).filter(([name]) => name !== 'stream');
  return calling(path, literal(Object.fromEntries(entries), ''), isStream);
}

/** A call of a route, and what is shown of its reply. */
function calling(path: string, body: string, isStream: boolean): string[] {
  if (path === '/v1/chat/completions')
    return [`for await (const text of client.chat(${body})) process.stdout.write(text);`];
  const call = `${text(path)}, ${body}`;
  if (isStream) return [`for await (const event of client.stream(${call})) {`, ...eventLines(path), '}'];
  if (path === '/v1/embeddings')
    return [
      `const { data } = await client.post<{ data: { embedding: number[] }[] }>(${call});`,
      'for (const { embedding } of data) console.log(embedding.slice(0, 4));',
    ];
  if (path === '/v1/images/generations')
    return [
      `const { data } = await client.post<{ data: { b64_json: string }[] }>(${call});`,
      'for (const [index, image] of data.entries())',
      `${STEP}await writeFile(\`picture-\${index + 1}.png\`, Buffer.from(image.b64_json, 'base64'));`,
    ];
  return [`console.log(await client.post(${call}));`];
}

function eventLines(path: string): string[] {
  if (path === '/v1/completions')
    return [
      `${STEP}const { choices } = event as { choices: { text: string }[] };`,
      `${STEP}process.stdout.write(choices[0]?.text ?? '');`,
    ];
  return [
    `${STEP}const { type, delta } = event as { type: string; delta?: string };`,
    `${STEP}if (type === 'transcript.text.delta') process.stdout.write(delta ?? '');`,
  ];
}

function predictFile(request: PlayRequest, model: string): string[] {
  const { body } = request;
  if (body.kind !== 'file') return [];
  const { type } = body.file;
  return [
    `const file = new Blob([${read(body.file)}]${type === '' ? '' : `, { type: ${text(type)} }`});`,
    ...predicted(request, [text(model), 'file'], {}),
  ];
}

function predictJson(
  request: PlayRequest,
  model: string,
  { data, parameters }: Readonly<Record<string, unknown>>,
): string[] {
  return predicted(request, [text(model), literal(data ?? null, '')], parameters === undefined ? {} : { parameters });
}

function predicted(
  { accept, answerFile }: PlayRequest,
  first: readonly string[],
  options: Readonly<Record<string, unknown>>,
): string[] {
  const told = { ...options, ...(accept === undefined ? {} : { accept }) };
  const parameters = [...first, ...(Object.keys(told).length === 0 ? [] : [literal(told, '')])].join(', ');
  if (answerFile === undefined) return [`console.log(await client.predict(${parameters}));`];
  return [
    `const reply = await client.predict<Blob>(${parameters});`,
    `await writeFile(${text(answerFile)}, new Uint8Array(await reply.arrayBuffer()));`,
  ];
}

interface SpeechBody {
  readonly model: string;
  readonly input: string;
  readonly voice: string;
  readonly speed?: number;
  readonly response_format: string;
}

/** By the native API, whose replies may be files. */
function speechLines(
  request: PlayRequest,
  { model, input, voice, speed, response_format: format }: SpeechBody,
): string[] {
  const parameters = { ...(voice === '' ? {} : { voice }), ...(speed === undefined ? {} : { speed }), format };
  return predicted(request, [text(model), text(input)], { parameters });
}
