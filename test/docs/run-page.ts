import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { freePort } from '../free-port.ts';
import type { Block, Role } from './blocks.ts';
import { pythonFor } from './python.ts';
import { curlConfig, type Workshop } from './scratch.ts';
import { difference } from './shown.ts';

const LIMIT_MS = 240_000;
/** The port of a reader's own program beside the server, in files of a page. */
const OWN_PORT = 8080;

export interface Page {
  readonly name: string;
  readonly blocks: readonly Block[];
  readonly roles: readonly (Role | undefined)[];
}

/** What happened: problems in words, by block, and blocks that could not run here. */
export interface Outcome {
  readonly problems: string[];
  readonly skipped: string[];
}

interface Context {
  readonly workshop: Workshop;
  readonly models: ReadonlyMap<string, string>;
  readonly sharedPort: number;
  /** Whether there is a program of this name. */
  readonly has: (program: string) => boolean;
}

/** Runs the blocks of a page in order, in one shell, in a folder that looks like a clone, and compares what they print with what the page shows. */
export async function runPage(page: Page, context: Context): Promise<Outcome> {
  const { clone, state } = context.workshop.makeClone(page.name.replaceAll('/', '-'), context.models);
  const ownPort = await freePort();
  writeFileSync(path.join(state, '.curlrc'), curlConfig(context.sharedPort, { shown: OWN_PORT, real: ownPort }));
  writeFileSync(path.join(state, 'port'), String(context.sharedPort));
  const skipped = new Map<Block, string>();
  let script = 'set -eo pipefail\n';
  for (const [index, block] of page.blocks.entries()) {
    const step = stepOf(block, page.roles[index], { clone, state, ownPort, index });
    if (step === undefined) continue;
    const missing = missingFor(block, step.python, context);
    if (missing !== undefined) skipped.set(block, missing);
    else script += wrapped(step.text, { index, mayFail: showsError(page, index) });
  }
  const end = script.includes('exec >')
    ? await runShell(script, { clone, env: context.workshop.environment(state, context.sharedPort) })
    : '';
  return {
    problems: problemsOf(page, { state, skipped, end }),
    skipped: [...skipped].map(([{ line }, why]) => `${page.name}:${line}: ${why}`),
  };
}

interface Step {
  readonly text: string;
  /** Modules that it imports, of a block of Python. */
  readonly python?: readonly string[];
}

function stepOf(
  block: Block,
  role: Role | undefined,
  { clone, state, ownPort, index }: { clone: string; state: string; ownPort: number; index: number },
): Step | undefined {
  const saved = path.join(state, `block-${index}`);
  const local = `s/localhost:8000/127.0.0.1:'"$(cat "$DOCS_STATE/port")"'/g`;
  if (role === 'shell') return { text: block.text };
  if (role === 'file') {
    const name = block.notes.get('file') ?? '';
    writeFileSync(saved, `${block.text.replaceAll(String(OWN_PORT), String(ownPort))}\n`);
    return { text: `sed '${local}' '${saved}' >'${name}'` };
  }
  if (role === 'python') {
    writeFileSync(`${saved}.py`, block.text);
    const python = [...block.text.matchAll(/^(?:import|from) (\w+)/gm)].map(([, name = '']) => name);
    return { text: `sed '${local}' '${saved}.py' | "${pythonFor(python) ?? ''}" -`, python };
  }
  if (role !== 'typescript') return undefined;
  const { outputText } = ts.transpileModule(block.text, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  // In the clone, so that `carpool` is found by its own name.
  writeFileSync(path.join(clone, `block-${index}.js`), outputText);
  return { text: `sed -i '${local}' block-${index}.js\nnode block-${index}.js` };
}

/** What a block needs that is not here: models and programs that the page names, or packages of Python. */
function missingFor(
  { notes }: Block,
  python: readonly string[] | undefined,
  { models, has }: Context,
): string | undefined {
  const needs = (notes.get('needs') ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const missing = needs.filter((name) => !models.has(name) && !has(name));
  if (missing.length > 0) return `there is no ${missing.join(' and no ')} here`;
  return python !== undefined && pythonFor(python) === undefined ? `no Python with ${python.join(', ')}` : undefined;
}

/** An answer with an error ends curl with an error, which is then what the page shows. */
function showsError({ blocks, roles }: Page, index: number): boolean {
  return roles[index + 1] === 'output' && /"error"|^HTTP\/1\.1 [45]/.test(blocks[index + 1]?.text ?? '');
}

function wrapped(text: string, { index, mayFail }: { index: number; mayFail: boolean }): string {
  const files = `exec >"$DOCS_STATE/out-${index}" 2>"$DOCS_STATE/err-${index}"`;
  return `${files}\n${mayFail ? `set +e\n${text}\nset -e` : text}\n: >"$DOCS_STATE/ok-${index}"\n`;
}

/** Runs a script by bash, as the leader of a group of processes that all end with it. How it ended, if not well. */
async function runShell(
  script: string,
  { clone, env }: { clone: string; env: Record<string, string> },
): Promise<string> {
  const child = spawn('bash', ['-c', script], { cwd: clone, env, stdio: 'ignore', detached: true });
  const timer = setTimeout(() => end(child.pid), LIMIT_MS);
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  clearTimeout(timer);
  end(child.pid);
  if (signal !== null) return `the page took longer than ${LIMIT_MS} ms`;
  return code === 0 ? '' : `the shell ended with ${code}`;
}

function end(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody of the group is left.
  }
}

function problemsOf(
  { name, blocks, roles }: Page,
  { state, skipped, end: ended }: { state: string; skipped: ReadonlyMap<Block, string>; end: string },
): string[] {
  const read = (kind: string, index: number): string => {
    const file = path.join(state, `${kind}-${index}`);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  };
  const problems: string[] = [];
  for (const [index, block] of blocks.entries()) {
    const at = `${name}:${block.line}`;
    if (roles[index] === 'output') {
      const before = blocks[index - 1];
      if (before === undefined || skipped.has(before) || !existsSync(path.join(state, `ok-${index - 1}`))) continue;
      const found = difference(block.text, read('out', index - 1));
      if (found !== undefined) problems.push(`${at}: ${found}`);
    } else if (existsSync(path.join(state, `out-${index}`)) && !existsSync(path.join(state, `ok-${index}`))) {
      problems.push(`${at}: ${ended}\n${block.text}\n${read('out', index)}${read('err', index)}`);
    }
  }
  return problems.length === 0 && ended !== '' ? [`${name}: ${ended}`] : problems;
}
