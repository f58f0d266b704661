import type { PlayRequest } from '../types.ts';
import { clientCallOf, formEntries, isFile, type ClientCall } from './clients.ts';
import type { CodeSite } from './site.ts';
import { hasFiles } from './cut.ts';
import { formLines, KEY, literal, read, readsFiles, STEP, text } from './script.ts';

/** The request in TypeScript for Node 20 and newer: by the package `openai` where that is its API, else by `fetch`. It is JavaScript as well. */

export function typescriptOf(request: PlayRequest, site: CodeSite): string {
  const call = clientCallOf(request.path);
  const isPlain = request.body.kind !== 'json' || !hasFiles(request.body.value);
  return call !== undefined && isPlain && site.bodyFile === undefined
    ? byClient(request, site, call)
    : byFetch(request, site);
}

function byClient(
  { body, answerFile = 'answer', isStream = false }: PlayRequest,
  site: CodeSite,
  { method, known, answer }: ClientCall,
): string {
  const entries =
    body.kind === 'form' ? formEntries(body.parts) : Object.entries(body.kind === 'json' ? (body.value as object) : {});
  const others = entries.filter(([name]) => !known.has(name));
  const fields = entries
    .filter(([name]) => known.has(name))
    .map(
      ([name, value]) =>
        `${name.replace('[]', '')}: ${isFile(value) ? `createReadStream(${text(value.name)})` : literal(value, STEP)}`,
    );
  // Fields that the library's types do not know go in by a variable.
  if (others.length > 0) fields.push('...more');
  const name = isStream ? 'stream' : 'reply';
  const hasFile = entries.some(([, value]) => isFile(value));
  const writes = answer === 'images' || answer === 'speech';
  return [
    ...(hasFile ? ["import { createReadStream } from 'node:fs';"] : []),
    ...(writes ? ["import { writeFile } from 'node:fs/promises';"] : []),
    "import OpenAI from 'openai';",
    '',
    `const client = new OpenAI({ baseURL: ${text(`${site.address}/v1`)}, apiKey: ${site.hasKey ? `${KEY} ?? ''` : "'none'"} });`,
    ...(others.length > 0 ? [`const more = ${literal(Object.fromEntries(others), '')};`] : []),
    `const ${name} = await client.${method}({`,
    ...fields.map((field) => `${STEP}${field},`),
    '});',
    ...(isStream ? STREAMED[answer] : SHOWN[answer])(answerFile),
    '',
  ].join('\n');
}

type Lines = (answerFile: string) => string[];

const SHOWN: Readonly<Record<ClientCall['answer'], Lines>> = {
  chat: () => ['console.log(reply.choices[0]?.message.content);'],
  completion: () => ['console.log(reply.choices[0]?.text);'],
  vectors: () => ['for (const { embedding } of reply.data) console.log(embedding.slice(0, 4));'],
  transcript: () => ['console.log(reply.text);'],
  images: () => [
    'for (const [index, image] of (reply.data ?? []).entries())',
    `${STEP}await writeFile(\`picture-\${index + 1}.png\`, Buffer.from(image.b64_json ?? '', 'base64'));`,
  ],
  speech: (answerFile) => [`await writeFile(${text(answerFile)}, Buffer.from(await reply.arrayBuffer()));`],
};

const STREAMED: Readonly<Record<ClientCall['answer'], Lines>> = {
  ...SHOWN,
  chat: () => ["for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '');"],
  completion: () => ["for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.text ?? '');"],
  transcript: () => [
    'for await (const event of stream)',
    `${STEP}if (event.type === 'transcript.text.delta') process.stdout.write(event.delta);`,
  ],
};

function byFetch({ path, body, accept, answerFile }: PlayRequest, site: CodeSite): string {
  const headers = [
    ...(site.hasKey ? [`Authorization: \`Bearer \${${KEY}}\``] : []),
    ...(accept === undefined ? [] : [`Accept: ${text(accept)}`]),
    ...(body.kind === 'file' ? [`'Content-Type': ${text(body.file.type || 'application/octet-stream')}`] : []),
    ...(body.kind === 'json' ? ["'Content-Type': 'application/json'"] : []),
  ];
  const files = [...(readsFiles(body, site) ? ['readFile'] : []), ...(answerFile === undefined ? [] : ['writeFile'])];
  return [
    ...(files.length === 0 ? [] : [`import { ${files.join(', ')} } from 'node:fs/promises';`, '']),
    ...(body.kind === 'form' ? formLines(body.parts) : []),
    `const reply = await fetch(${text(`${site.address}${path}`)}, {`,
    `${STEP}method: 'POST',`,
    ...(headers.length === 0 ? [] : [`${STEP}headers: { ${headers.join(', ')} },`]),
    `${STEP}body: ${bodyCode(body, site)},`,
    '});',
    'if (!reply.ok) throw new Error(await reply.text());',
    answerFile === undefined
      ? 'console.log(await reply.json());'
      : `await writeFile(${text(answerFile)}, Buffer.from(await reply.arrayBuffer()));`,
    '',
  ].join('\n');
}

function bodyCode(body: PlayRequest['body'], { bodyFile }: CodeSite): string {
  switch (body.kind) {
    case 'file':
      return read(body.file);
    case 'form':
      return 'form';
    case 'json':
      return bodyFile === undefined
        ? `JSON.stringify(${literal(body.value, STEP)})`
        : `await readFile(${text(bodyFile)})`;
  }
}
