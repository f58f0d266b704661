import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import typescript from 'typescript';
import { parseMultipart } from '../../../src/dialects/openai/multipart.ts';
import { codeOf, isLongBody, LANGUAGES, type Language } from '../../../web/play/code/code.ts';
import { pythonLiteral } from '../../../web/play/code/python.ts';
import { shellWord } from '../../../web/play/code/shell.ts';
import { chatRequest, CHAT_FIELDS } from '../../../web/play/forms/chat.ts';
import { playsOf } from '../../../web/play/plays.ts';
import { Base64Of, type PickedFile, type PlayRequest } from '../../../web/play/types.ts';
import { initialValues } from '../../../web/play/values.ts';
import { modelOf, pickedFile } from './models.ts';

/** The code that is shown sends exactly the request that the page sends: it is really run, against a server that notes what comes. */

const HARD = `It's "so"; $HOME \\n\\ \`x\` ☂ 🚗 #{a} %s`;
const FILE = "it's, a; file.png";
const CONTENT = Buffer.from([0, 255, 10, 39, 34, 128]);

function play(task: string, id: string, values: object): PlayRequest {
  const found = playsOf(modelOf(task)).find((one) => one.id === id);
  assert.ok(found, id);
  return found.request({ ...initialValues(found.fields), ...values });
}

const picture = pickedFile(FILE, 'image/png');
const REQUESTS: readonly PlayRequest[] = [
  play('text-classification', 'classify', { text: HARD, top_k: '2' }),
  play('embeddings', 'embeddings', { texts: [HARD, 'two\nlines'], input_type: 'query' }),
  chatRequest(modelOf('chat'), [{ role: 'user', content: HARD }], {
    ...initialValues(CHAT_FIELDS),
    temperature: '0.5',
    top_k: '7',
    think: true,
  }),
  play('chat', 'completion', { prompt: HARD, repetition_penalty: '1.1' }),
  play('reranking', 'rerank', { query: HARD }),
  play('text-to-image', 'draw', { prompt: HARD, seed: '5', steps: '3', n: '2' }),
  play('text-to-speech', 'speak', { input: HARD, voice: 'a' }),
  play('image-classification', 'classify', { image: [picture] }),
  play('image-classification', 'classify', { image: [picture], top_k: '3' }),
  play('background-removal', 'cut-out', { image: [picture] }),
  play('image-feature-extraction', 'vectors', { images: [picture, picture] }),
  play('transcription', 'transcribe', {
    audio: [pickedFile(FILE, 'audio/webm')],
    words: true,
    prompt: HARD,
    hotwords: '@x;type=y',
  }),
  play('transcription', 'transcribe', { audio: [pickedFile(FILE, 'audio/webm')], stream: true }),
  play('embeddings', 'embeddings', { texts: Array.from({ length: 200 }, (_, index) => `${HARD} ${index}`) }),
];

/** What came: the path, the key, and the body as far as it is a client's own to choose. */
interface Came {
  readonly path: string;
  readonly key: string | undefined;
  readonly accept: string | undefined;
  readonly body: unknown;
}

const EVENTS: Readonly<Record<string, string>> = {
  '/v1/chat/completions':
    '{"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}',
  '/v1/completions':
    '{"id":"1","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":"Hi","logprobs":null,"finish_reason":null}]}',
  '/v1/audio/transcriptions': '{"type":"transcript.text.delta","delta":"Hi"}',
};
const ANSWER = {
  result: [],
  results: [],
  text: 'Hi',
  object: 'list',
  model: 'm',
  usage: { prompt_tokens: 1, total_tokens: 1 },
  data: [{ object: 'embedding', index: 0, embedding: [1, 2], b64_json: 'AAAA' }],
};

function answer(request: IncomingMessage, response: ServerResponse, isStream: boolean): void {
  const { pathname } = new URL(request.url ?? '/', 'http://x');
  if (isStream)
    response
      .writeHead(200, { 'Content-Type': 'text/event-stream' })
      .end(`data: ${EVENTS[pathname]}\n\ndata: [DONE]\n\n`);
  else if (request.headers.accept?.startsWith('image/') === true)
    response.writeHead(200, { 'Content-Type': 'image/png' }).end(CONTENT);
  else response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(ANSWER));
}

/** Clients send parts in an order of their own. */
function sorted(parts: readonly string[][]): string[][] {
  return parts.toSorted((one, other) => (String(one) < String(other) ? -1 : 1));
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const type = request.headers['content-type'] ?? '';
  if (type.startsWith('multipart/')) {
    const parts = await parseMultipart(bytes, type);
    return sorted(
      parts.map(({ name, bytes: value, contentType }) => [
        name,
        contentType === 'text/plain' ? Buffer.from(value).toString() : Buffer.from(value).toString('base64'),
      ]),
    );
  }
  if (type.startsWith('application/json')) return JSON.parse(bytes.toString());
  return [type, bytes.toString('base64')];
}

/** What the page itself sends. */
function expected({ path: to, body, accept }: PlayRequest): Came {
  const files = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value, (_, one: unknown) => (one instanceof Base64Of ? CONTENT.toString('base64') : one)),
    );
  const told = { path: `/below/a%20path${to}`, key: 'Bearer s3cret', accept };
  switch (body.kind) {
    case 'json':
      return { ...told, body: files(body.value) };
    case 'file':
      return { ...told, body: [body.file.type, CONTENT.toString('base64')] };
    case 'form': {
      const parts = body.parts.map(([name, value]) => [
        name,
        typeof value === 'string' ? value : CONTENT.toString('base64'),
      ]);
      return { ...told, body: sorted(parts) };
    }
  }
}

/** A server that notes requests, and a folder with the files that the code reads. */
async function place(t: TestContext): Promise<{ folder: string; address: string; came: Came[] }> {
  const came: Came[] = [];
  const server = createServer((request, response) => {
    const { authorization: key, accept } = request.headers;
    void bodyOf(request).then((body) => {
      const isStream =
        JSON.stringify(body).includes('"stream":true') || JSON.stringify(body).includes('"stream","true"');
      came.push({
        path: request.url ?? '',
        key,
        accept: /^(image|audio)\//.test(accept ?? '') ? accept : undefined,
        body,
      });
      request.url = (request.url ?? '').replace('/below/a%20path', '');
      answer(request, response, isStream);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = mkdtempSync(path.join(tmpdir(), 'carpool-code-'));
  writeFileSync(path.join(folder, FILE), CONTENT);
  t.after(() => {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });
  return { folder, came, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/below/a%20path/` };
}

const LIMIT_MS = 60_000;

/** Runs a program to its end, which must be a good one. */
async function run(command: string, parameters: readonly string[], folder: string): Promise<void> {
  const env = { ...process.env, CARPOOL_API_KEY: 's3cret', NO_PROXY: '*' };
  const child = spawn(command, parameters, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: LIMIT_MS });
  let told = '';
  child.stdout.resume();
  child.stderr.on('data', (chunk) => (told += String(chunk)));
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 0, told);
}

/** Runs the code of all requests, one program each, and compares what came. */
async function compare(
  t: TestContext,
  language: Language,
  runAll: (folder: string, codes: readonly string[]) => Promise<void>,
  only: (request: PlayRequest, code: string) => boolean = () => true,
): Promise<void> {
  const { folder, address, came } = await place(t);
  const made = REQUESTS.map(
    (request) => [request, codeOf(request, language, { address, hasKey: true })] as const,
  ).filter((one) => only(...one));
  assert.ok(made.length > 0);
  // The file that the page offers for a long body.
  for (const [{ body }] of made.filter(([request]) => isLongBody(request)))
    writeFileSync(path.join(folder, 'request.json'), JSON.stringify(body.kind === 'json' ? body.value : null));
  await runAll(
    folder,
    made.map(([, code]) => code),
  );
  assert.deepEqual(
    came,
    made.map(([request]) => expected(request)),
  );
}

const hasCurl = spawnSync('curl', ['--version']).status === 0;

test('curl sends the request of the page', { skip: hasCurl ? false : 'no curl here' }, (t) =>
  compare(t, 'curl', (folder, codes) =>
    run('sh', ['-ec', codes.map((code) => code.replace(/(^|\| )curl /, '$1curl -sSf ')).join('\n')], folder),
  ),
);

const ROOT = path.resolve(import.meta.dirname, '../../../..');

/** Runs modules one after the other, with the packages that they import. */
async function runModules(folder: string, codes: readonly string[]): Promise<void> {
  const packages = path.join(folder, 'node_modules');
  mkdirSync(packages);
  symlinkSync(path.join(ROOT, 'node_modules', 'openai'), path.join(packages, 'openai'));
  symlinkSync(ROOT, path.join(packages, 'carpool'));
  const compilerOptions = {
    module: typescript.ModuleKind.ESNext,
    target: typescript.ScriptTarget.ES2023,
    verbatimModuleSyntax: true,
  };
  for (const [index, code] of codes.entries()) {
    const { outputText } = typescript.transpileModule(code, { compilerOptions });
    writeFileSync(path.join(folder, `${index}.mjs`), outputText);
  }
  writeFileSync(path.join(folder, 'all.mjs'), codes.map((_, index) => `await import('./${index}.mjs');`).join('\n'));
  await run(process.execPath, ['all.mjs'], folder);
}

test('TypeScript sends the request of the page', (t) => compare(t, 'TypeScript', runModules));

test("the server's own client sends the request of the page", (t) =>
  compare(
    t,
    'Carpool client',
    runModules,
    // Its replies are JSON, but for those of the native API, by which it asks for speech.
    ({ path: to }) => to !== '/v1/audio/speech',
  ));

test('the client asks for speech by the native API', () => {
  const site = { address: 'http://localhost:8000/', hasKey: false };
  assert.equal(
    codeOf(play('text-to-speech', 'speak', { input: 'Hi', voice: 'a', speed: '2' }), 'Carpool client', site),
    [
      "import { writeFile } from 'node:fs/promises';",
      "import { CarpoolClient } from 'carpool/client';",
      '',
      'const client = new CarpoolClient({ baseUrl: "http://localhost:8000" });',
      'const reply = await client.predict<Blob>("m", "Hi", {"parameters":{"voice":"a","speed":2,"format":"wav"}});',
      'await writeFile("speech.wav", new Uint8Array(await reply.arrayBuffer()));',
      '',
    ].join('\n'),
  );
});

const python = process.env['CARPOOL_PYTHON'];
const has = (name: string): boolean =>
  python !== undefined &&
  spawnSync(python, ['-c', `import importlib.util as u; exit(u.find_spec("${name}") is None)`], { timeout: LIMIT_MS })
    .status === 0;

for (const name of ['openai', 'requests'])
  test(
    `Python sends the request of the page by ${name}`,
    { skip: has(name) ? false : `no Python with ${name} (CARPOOL_PYTHON)` },
    (t) =>
      compare(
        t,
        'Python',
        (folder, codes) => run(python ?? '', ['-c', codes.join('\n')], folder),
        (_, code) => code.includes(`import ${name === 'openai' ? 'OpenAI' : name}`),
      ),
  );

test('a key is never in the code', () => {
  const site = { address: 'http://localhost:8000/', hasKey: true };
  for (const language of LANGUAGES)
    for (const request of REQUESTS) assert.match(codeOf(request, language, site), /CARPOOL_API_KEY/);
  for (const request of REQUESTS)
    assert.doesNotMatch(codeOf(request, 'curl', { ...site, hasKey: false }), /Authorization/);
});

test('texts of shells and Python', () => {
  assert.equal(shellWord("it's"), `'it'\\''s'`);
  assert.equal(shellWord('@a/b.png'), '@a/b.png');
  assert.equal(pythonLiteral({ a: [true, null, 1.5, 'x"y'] }), '{"a": [True, None, 1.5, "x\\"y"]}');
  const file: PickedFile = pickedFile('a.png', 'image/png');
  assert.equal(pythonLiteral(new Base64Of(file)), 'base64.b64encode(open("a.png", "rb").read()).decode()');
});
