import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { median } from '../src/benchmark/statistics.ts';
import { formatTable } from '../src/benchmark/table.ts';
import { startServer, type ServerProcess } from './server-process.ts';
import { stepCosts } from './structured/steps.ts';
import { ASKED } from './structured/questions.ts';

/**
 * Answers of a given form by a small chat model: how many of 200 parse and fit their schemas (twenty, ten questions each), with the least room for the answer too; tokens
 * a second with and without a form, alone and at 8 clients; and what the form costs at each step.
 */

const { values: flags } = parseArgs({
  options: {
    models: { type: 'string', default: fileURLToPath(new URL('../../../shared/models', import.meta.url)) },
    model: { type: 'string', default: 'chat' },
    only: { type: 'string', default: 'steps,valid,cut,speed' },
    tokens: { type: 'string', default: '96' },
    first: { type: 'string', default: '0' },
    questions: { type: 'string', default: '10' },
  },
});
const MAX_TOKENS = Number(flags.tokens);
/** Of each schema's questions. */
const FIRST = Number(flags.first);
/** Enough for the shortest answer to each schema, and for little more. */
const CUT_TOKENS = 80;
const CLIENTS = 8;
/** Of the speed, with a form and without one. */
const ROUNDS = 3;
/** Clients where only the answers count. */
const CROWD = 25;
/** A line tells how far it is. */
const TOLD = 25;

interface Question {
  readonly about: string;
  readonly question: string;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly fits: ValidateFunction;
}

interface Answered {
  readonly question: Question;
  readonly text: string;
  readonly ending: string;
  readonly tokens: number;
}

const ajv = new Ajv2020({ strict: false });
addFormats.default(ajv);
const questions = ASKED.flatMap(({ about, schema, questions: asked }): Question[] => {
  const fits = ajv.compile(schema);
  return asked.slice(FIRST, FIRST + Number(flags.questions)).map((question) => ({ about, question, schema, fits }));
});

async function ask(server: ServerProcess, question: Question, own: object): Promise<Answered> {
  const response = await fetch(`http://127.0.0.1:${server.port}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ model: flags.model, messages: [{ role: 'user', content: question.question }], max_tokens: MAX_TOKENS },
      ...{ temperature: 0.7, seed: 1, ...own },
    }),
  });
  const answer = (await response.json()) as {
    readonly error?: { readonly message: string };
    readonly choices: readonly [{ readonly message: { readonly content: string }; readonly finish_reason: string }];
    readonly usage: { readonly completion_tokens: number };
  };
  if (answer.error !== undefined) throw new Error(`${question.about}: ${answer.error.message}`);
  const [{ message, finish_reason: ending }] = answer.choices;
  return { question, text: message.content, ending, tokens: answer.usage.completion_tokens };
}

function formOf({ schema }: Question): object {
  return { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } } };
}

/** Asks all, so many at a time. */
async function askAll(
  server: ServerProcess,
  asked: readonly Question[],
  { clients, own }: { clients: number; own: (question: Question) => object },
): Promise<Answered[]> {
  const answers: Answered[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    for (let question = asked[next++]; question !== undefined; question = asked[next++]) {
      answers.push(await ask(server, question, own(question)));
      if (answers.length % TOLD === 0)
        console.error(`${answers.length} of ${asked.length} answered, ${answers.filter(isValid).length} fit`);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return answers;
}

function isValid({ text, question }: Answered): boolean {
  try {
    return question.fits(JSON.parse(text));
  } catch {
    return false;
  }
}

async function showValid(server: ServerProcess, what: string, limit: object): Promise<void> {
  const answers = await askAll(server, questions, {
    clients: CROWD,
    own: (question) => ({ ...formOf(question), ...limit }),
  });
  const wrong = answers.filter((answer) => !isValid(answer));
  const cut = answers.filter(({ ending }) => ending === 'length').length;
  console.log(`${what}: ${answers.length - wrong.length} of ${answers.length} parse and fit; ${cut} ended by length`);
  for (const { question, text } of wrong) console.log(`  ${question.about}: ${text}`);
}

/** Tokens a second with a form and without one, in turn, of questions whose answers are long: medians of rounds, and of each round's ratio. */
async function showSpeed(server: ServerProcess): Promise<void> {
  const rows: string[][] = [];
  const some = questions.filter(({ about }) => ['any object', 'arrays of objects', 'lengths'].includes(about));
  for (const clients of [1, CLIENTS]) {
    const asked = clients === 1 ? some.filter((_, index) => index % 5 === 0) : some.slice(0, 3 * CLIENTS);
    const rate = async (own: (question: Question) => object): Promise<number> => {
      const start = performance.now();
      const answers = await askAll(server, asked, { clients, own });
      return answers.reduce((sum, { tokens }) => sum + tokens, 0) / ((performance.now() - start) / 1000);
    };
    const [withForm, without]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      withForm.push(await rate(formOf));
      without.push(await rate(() => ({})));
    }
    const ratios = withForm.map((value, round) => value / (without[round] ?? Number.NaN));
    rows.push([
      String(clients),
      median(without).toFixed(1),
      median(withForm).toFixed(1),
      `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
    ]);
  }
  console.log(formatTable(['clients', 'tokens/s without', 'with a form', 'ratio'], rows));
}

if (flags.only.includes('steps')) await stepCosts(path.join(flags.models, flags.model), ASKED);
if (/valid|cut|speed/.test(flags.only)) {
  const folder = mkdtempSync(path.join(tmpdir(), 'carpool-structured-'));
  symlinkSync(path.resolve(flags.models, flags.model), path.join(folder, flags.model));
  const server = await startServer({ MODELS_DIR: folder, REQUEST_TIMEOUT_MS: '600000' });
  try {
    if (flags.only.includes('valid')) await showValid(server, `${MAX_TOKENS} tokens`, {});
    if (flags.only.includes('cut')) await showValid(server, `${CUT_TOKENS} tokens`, { max_tokens: CUT_TOKENS });
    if (flags.only.includes('speed')) await showSpeed(server);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}
