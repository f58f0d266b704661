import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import typescript from 'typescript';
import { makeModels, TASKS } from '../../../tools/screenshots/models.ts';
import { codeOf, type Language } from '../../../web/play/code/code.ts';
import { cutAtFiles } from '../../../web/play/code/cut.ts';
import { playsOf } from '../../../web/play/plays.ts';
import type { ModelAbout, PlayRequest } from '../../../web/play/types.ts';
import { initialValues } from '../../../web/play/values.ts';
import { ask, startTestServer, type Answer } from '../../http/in-process.ts';
import { SHIPPED_MODELS } from '../../process/carpool.ts';
import { pickedFile } from './models.ts';

/** The code that is shown runs unchanged against a real server, and gives the answer of the form. */

const ROOT = path.resolve(import.meta.dirname, '../../../..');
const LIMIT_MS = 60_000;
const PICTURE = path.join(SHIPPED_MODELS, 'super-resolution', 'example.png');
const SOUND = path.join(TASKS, 'audio', 'reference', 'sound.wav');
/** One for each way to ask: JSON, parameters, a file for a file, files within JSON, a form. The id of a form, where it is not the first. */
const MODELS: Readonly<Record<string, string | undefined>> = {
  square: undefined,
  'language-id': undefined,
  'super-resolution': undefined,
  clip: 'mixed-vectors',
  wav2vec2_ctc: undefined,
};

/** A request of a form as it comes, with a file where one is asked for, and what the server answers to it. */
interface Tried {
  readonly request: PlayRequest;
  readonly reply: Answer;
}

async function formOf(url: string, model: string, id: string | undefined): Promise<Tried> {
  const about = async (): Promise<ModelAbout> => (await ask(`${url}/predict/${model}`)).json as ModelAbout;
  // The first request loads the model, and may be refused: the form then knows more.
  if (!(await about()).loaded) await send(url, requestOf(await about(), id));
  const request = requestOf(await about(), id);
  const reply = await send(url, request);
  assert.equal(reply.status, 200, `${model}: ${Buffer.from(reply.bytes).toString()}`);
  return { request, reply };
}

function requestOf(about: ModelAbout, id: string | undefined): PlayRequest {
  const play = playsOf(about).find((one) => id === undefined || one.id === id);
  assert.ok(play, about.name);
  const files = play.fields.flatMap((field) =>
    field.kind === 'file'
      ? [
          [
            field.name,
            [field.of === 'image' ? pickedFile('example.png', 'image/png') : pickedFile('sound.wav', 'audio/wav')],
          ],
        ]
      : [],
  );
  return play.request({ ...initialValues(play.fields), ...(Object.fromEntries(files) as object) });
}

const FILES: Readonly<Record<string, string>> = { 'example.png': PICTURE, 'sound.wav': SOUND };
const bytesOf = ({ name }: { readonly name: string }): Buffer => readFileSync(FILES[name] ?? '');

/** As the page sends it. */
function send(url: string, { path: to, body, accept }: PlayRequest): Promise<Answer> {
  const headers = accept === undefined ? {} : { Accept: accept };
  const post = (content: NonNullable<RequestInit['body']>, type?: string): Promise<Answer> =>
    ask(`${url}${to}`, {
      method: 'POST',
      body: content,
      headers: type === undefined ? headers : { ...headers, 'Content-Type': type },
    });
  if (body.kind === 'file') return post(bytesOf(body.file), body.file.type);
  if (body.kind === 'json') {
    const pieces = cutAtFiles(body.value).map((one) =>
      typeof one === 'string' ? one : bytesOf(one.file).toString('base64'),
    );
    return post(pieces.join(''), 'application/json');
  }
  const form = new FormData();
  for (const [name, value] of body.parts)
    if (typeof value === 'string') form.append(name, value);
    else form.append(name, new Blob([bytesOf(value)], { type: value.type }), value.name);
  return post(form);
}

/** What a program writes; it must end well. */
async function run(command: string, parameters: readonly string[], folder: string): Promise<string> {
  const child = spawn(command, parameters, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], timeout: LIMIT_MS });
  let told = '';
  let problems = '';
  child.stdout.on('data', (chunk) => (told += String(chunk)));
  child.stderr.on('data', (chunk) => (problems += String(chunk)));
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 0, problems);
  return told;
}

/** Runs modules one after the other; what each has shown, and the file that it has written. */
const RUNNER = `
import { existsSync, readFileSync } from 'node:fs';
const all = [];
for (const [module, file] of JSON.parse(process.argv[2])) {
  const shown = [];
  console.log = (value) => void shown.push(value);
  await import(module);
  all.push(file === undefined || !existsSync(file) ? shown : readFileSync(file, 'base64'));
}
process.stdout.write(JSON.stringify(all));
`;

async function runModules(
  folder: string,
  language: Language,
  tried: readonly Tried[],
  url: string,
): Promise<unknown[]> {
  const compilerOptions = {
    module: typescript.ModuleKind.ESNext,
    target: typescript.ScriptTarget.ES2023,
    verbatimModuleSyntax: true,
  };
  const modules = tried.map(({ request }, index) => {
    const code = codeOf(request, language, { address: url, hasKey: false });
    const file = `${index}-${language.replace(' ', '-')}.mjs`;
    writeFileSync(path.join(folder, file), typescript.transpileModule(code, { compilerOptions }).outputText);
    return [`./${file}`, request.answerFile];
  });
  for (const { request } of tried)
    if (request.answerFile !== undefined) rmSync(path.join(folder, request.answerFile), { force: true });
  writeFileSync(path.join(folder, 'all.mjs'), RUNNER);
  return JSON.parse(await run(process.execPath, ['all.mjs', JSON.stringify(modules)], folder)) as unknown[];
}

/** Without what is measured anew each time. */
function steady(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (name, one: unknown) => (name === 'real_time_factor' ? undefined : one));
}

/** What code that shows the whole reply shows. */
const whole = ({ request, reply }: Tried): unknown =>
  request.answerFile === undefined ? [reply.json] : Buffer.from(reply.bytes).toString('base64');

/** The first numbers of vectors. */
const vectors = ({ json }: Answer): unknown =>
  (json as { data: { embedding: number[] }[] }).data.map(({ embedding }) => embedding.slice(0, 4));

function shownByClient(tried: Tried): unknown {
  const { request, reply } = tried;
  if (request.answerFile !== undefined) return whole(tried);
  if (request.path.startsWith('/predict/')) return [(reply.json as { result: unknown }).result];
  return request.path === '/v1/embeddings' ? vectors(reply) : whole(tried);
}

function shownByTypescript(tried: Tried): unknown {
  const { request, reply } = tried;
  return request.path === '/v1/audio/transcriptions' ? [(reply.json as { text: string }).text] : whole(tried);
}

const hasCurl = spawnSync('curl', ['--version']).status === 0;

test('snippets give the answers of the forms', { timeout: 180_000 }, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'carpool-snippets-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const models = path.join(folder, 'models');
  mkdirSync(models);
  makeModels(models);
  for (const [name, file] of Object.entries(FILES)) copyFileSync(file, path.join(folder, name));
  mkdirSync(path.join(folder, 'node_modules'));
  symlinkSync(path.join(ROOT, 'node_modules', 'openai'), path.join(folder, 'node_modules', 'openai'));
  symlinkSync(ROOT, path.join(folder, 'node_modules', 'carpool'));
  await using server = await startTestServer({
    MODELS_DIR: models,
    MODELS: Object.keys(MODELS).join(','),
    MODEL_LOADING: 'lazy',
  });
  const { url } = server;
  const tried: Tried[] = [];
  for (const [model, id] of Object.entries(MODELS)) tried.push(await formOf(url, model, id));

  await t.test('in curl', { skip: hasCurl ? false : 'no curl here' }, async () => {
    for (const one of tried) {
      const code = codeOf(one.request, 'curl', { address: url, hasKey: false });
      const told = await run('sh', ['-ec', code], folder);
      const { answerFile } = one.request;
      const shown =
        answerFile === undefined ? [JSON.parse(told)] : readFileSync(path.join(folder, answerFile), 'base64');
      assert.deepEqual(steady(shown), steady(whole(one)), code);
    }
  });
  await t.test('in TypeScript', async () =>
    assert.deepEqual(steady(await runModules(folder, 'TypeScript', tried, url)), steady(tried.map(shownByTypescript))),
  );
  await t.test("by the server's own client", async () =>
    assert.deepEqual(steady(await runModules(folder, 'Carpool client', tried, url)), steady(tried.map(shownByClient))),
  );
});
