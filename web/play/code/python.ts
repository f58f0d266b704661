import { Base64Of, type PickedFile, type PlayRequest } from '../types.ts';
import { clientCallOf, formEntries, isFile, type ClientCall } from './clients.ts';
import type { CodeSite } from './site.ts';
import { hasFiles } from './cut.ts';

/** The request in Python: by the package `openai` where that is its API, else by `requests`. */

const LINE = 72;
const STEP = '    ';

/** A value of JSON as Python writes it; lines after the first are indented by `indent`. */
export function pythonLiteral(value: unknown, indent = ''): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (value instanceof Base64Of) return `base64.b64encode(${opened(value.file)}.read()).decode()`;
  if (typeof value === 'string') return pythonText(value);
  if (typeof value !== 'object') return JSON.stringify(value);
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  const inside = (inner: string): string[] =>
    Array.isArray(value)
      ? (value as readonly unknown[]).map((one) => pythonLiteral(one, inner))
      : Object.entries(value).map(([name, one]) => `${pythonText(name)}: ${pythonLiteral(one, inner)}`);
  if (JSON.stringify(value).length + indent.length <= LINE) return `${open}${inside('').join(', ')}${close}`;
  const inner = indent + STEP;
  return `${open}\n${inside(inner)
    .map((one) => `${inner}${one},\n`)
    .join('')}${indent}${close}`;
}

/** JSON's escapes are Python's. */
function pythonText(text: string): string {
  return JSON.stringify(text);
}

function opened({ name }: PickedFile): string {
  return `open(${pythonText(name)}, "rb")`;
}

export function pythonOf(request: PlayRequest, site: CodeSite): string {
  const call = clientCallOf(request.path);
  const isPlain = request.body.kind !== 'json' || !hasFiles(request.body.value);
  return call !== undefined && isPlain && site.bodyFile === undefined
    ? byClient(request, site, call)
    : byRequests(request, site);
}

function key(site: CodeSite, otherwise: string): string {
  return site.hasKey ? 'os.environ["CARPOOL_API_KEY"]' : otherwise;
}

function callOf(name: string, parameters: readonly string[]): string {
  return `${name}(\n${parameters.map((one) => `${STEP}${one},\n`).join('')})`;
}

function byClient(
  { body, answerFile = 'answer', isStream = false }: PlayRequest,
  site: CodeSite,
  { method, known, answer }: ClientCall,
): string {
  const entries =
    body.kind === 'form' ? formEntries(body.parts) : Object.entries(body.kind === 'json' ? (body.value as object) : {});
  const parameters = entries
    .filter(([name]) => known.has(name))
    .map(([name, value]) => `${name.replace('[]', '')}=${argument(value)}`);
  const others = entries.filter(([name]) => !known.has(name));
  if (others.length > 0) parameters.push(`extra_body=${pythonLiteral(Object.fromEntries(others), STEP)}`);
  const name = isStream ? 'stream' : 'reply';
  return [
    ...(site.hasKey ? ['import os', ''] : []),
    ...(answer === 'images' ? ['import base64', ''] : []),
    'from openai import OpenAI',
    '',
    `client = OpenAI(base_url=${pythonText(`${site.address}/v1`)}, api_key=${key(site, '"none"')})`,
    `${name} = ${callOf(`client.${method}`, parameters)}`,
    ...(isStream ? STREAMED[answer] : SHOWN[answer])(answerFile),
    '',
  ].join('\n');
}

function argument(value: unknown): string {
  return isFile(value) ? opened(value) : pythonLiteral(value, STEP);
}

type Lines = (answerFile: string) => string[];

const SHOWN: Readonly<Record<ClientCall['answer'], Lines>> = {
  chat: () => ['print(reply.choices[0].message.content)'],
  completion: () => ['print(reply.choices[0].text)'],
  vectors: () => ['for one in reply.data:', `${STEP}print(one.embedding[:4])`],
  transcript: () => ['print(reply.text)'],
  images: () => [
    'for index, image in enumerate(reply.data, 1):',
    `${STEP}with open(f"picture-{index}.png", "wb") as file:`,
    `${STEP}${STEP}file.write(base64.b64decode(image.b64_json))`,
  ],
  speech: (answerFile) => [`reply.write_to_file(${pythonText(answerFile)})`],
};

const eachChunk = (text: string): string[] => [
  'for chunk in stream:',
  `${STEP}if chunk.choices:`,
  `${STEP}${STEP}print(chunk.choices[0].${text} or "", end="", flush=True)`,
];

const STREAMED: Readonly<Record<ClientCall['answer'], Lines>> = {
  ...SHOWN,
  chat: () => eachChunk('delta.content'),
  completion: () => eachChunk('text'),
  transcript: () => [
    'for event in stream:',
    `${STEP}if event.type == "transcript.text.delta":`,
    `${STEP}${STEP}print(event.delta, end="", flush=True)`,
  ],
};

function byRequests({ path, body, accept, answerFile }: PlayRequest, site: CodeSite): string {
  const headers = {
    ...(accept === undefined ? {} : { Accept: accept }),
    ...(body.kind === 'file' ? { 'Content-Type': body.file.type || 'application/octet-stream' } : {}),
    ...(body.kind === 'json' && site.bodyFile !== undefined ? { 'Content-Type': 'application/json' } : {}),
  };
  const written = Object.entries(headers).map(([name, value]) => `${pythonText(name)}: ${pythonText(value)}`);
  if (site.hasKey) written.push(`"Authorization": f"Bearer {os.environ['CARPOOL_API_KEY']}"`);
  const parameters = [
    pythonText(`${site.address}${path}`),
    ...(written.length === 0 ? [] : [`headers={${written.join(', ')}}`]),
  ];
  parameters.push(...bodyParameters(body, site));
  const imports = [...(hasBase64(body) ? ['base64'] : []), ...(site.hasKey ? ['os'] : [])].map(
    (name) => `import ${name}`,
  );
  return [
    ...imports,
    ...(imports.length > 0 ? [''] : []),
    'import requests',
    '',
    `reply = ${callOf('requests.post', parameters)}`,
    'reply.raise_for_status()',
    ...(answerFile === undefined
      ? ['print(reply.json())']
      : [`with open(${pythonText(answerFile)}, "wb") as file:`, `${STEP}file.write(reply.content)`]),
    '',
  ].join('\n');
}

function hasBase64(body: PlayRequest['body']): boolean {
  return body.kind === 'json' && hasFiles(body.value);
}

function bodyParameters(body: PlayRequest['body'], { bodyFile }: CodeSite): string[] {
  switch (body.kind) {
    case 'file':
      return [`data=${opened(body.file)}`];
    case 'json':
      return [
        bodyFile === undefined ? `json=${pythonLiteral(body.value, STEP)}` : `data=open(${pythonText(bodyFile)}, "rb")`,
      ];
    case 'form': {
      const files = body.parts.flatMap(([name, value]) =>
        typeof value === 'string' ? [] : [`(${pythonText(name)}, ${opened(value)})`],
      );
      const fields = body.parts.flatMap(([name, value]) =>
        typeof value === 'string' ? [`(${pythonText(name)}, ${pythonText(value)})`] : [],
      );
      return [`data=[${fields.join(', ')}]`, `files=[${files.join(', ')}]`];
    }
  }
}
