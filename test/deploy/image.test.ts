import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { cp, mkdtemp, mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { copiesOf, environmentOf, execForm, parseDockerfile, textsOf, type Stage } from './dockerfile.ts';
import { ignoreRules } from './dockerignore.ts';

/**
 * Lays the CPU image out in a temporary folder as the Dockerfile says, without Docker: each stage is a folder of its own,
 * COPY copies (from the repository only what .dockerignore lets in), RUN runs. Then the server is started from it.
 */

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../', import.meta.url));
const stages = parseDockerfile(readFileSync(path.join(root, 'Dockerfile'), 'utf8'));
const isIgnored = ignoreRules(readFileSync(path.join(root, '.dockerignore'), 'utf8'));
const skip =
  process.env['CARPOOL_SLOW_TESTS'] === '1' ? false : 'slow, and needs the npm registry: set CARPOOL_SLOW_TESTS=1';

/** The folder that is `/` of a stage. */
const rootOf = (image: string, stage: string): string => path.join(image, stage);

async function build(image: string, stage: Stage): Promise<void> {
  const folder = rootOf(image, stage.name);
  const parent = stages.find(({ name }) => name === stage.from);
  if (parent === undefined) await mkdir(path.join(folder, 'app'), { recursive: true });
  else {
    if (!existsSync(rootOf(image, parent.name))) await build(image, parent);
    await cp(rootOf(image, parent.name), folder, { recursive: true, verbatimSymlinks: true });
  }
  const copies = copiesOf(stages, stage);
  for (const { keyword, text } of stage.instructions) {
    if (keyword === 'RUN')
      await run('sh', ['-c', text], {
        cwd: path.join(folder, 'app'),
        env: { ...withoutTestRunner(), ...environmentOf(stages, stage) },
        maxBuffer: 64 * 1024 * 1024,
      });
    if (keyword !== 'COPY') continue;
    const copy = copies.shift();
    assert.ok(copy);
    for (const source of copy.sources)
      await copyInto(image, { from: copy.from, source, to: path.join(folder, copy.destination) });
  }
}

interface CopyStep {
  readonly from: string | undefined;
  readonly source: string;
  readonly to: string;
}

/** COPY puts the contents of a folder, but a file as itself, into the destination. */
async function copyInto(image: string, { from, source, to }: CopyStep): Promise<void> {
  const stage = stages.find(({ name }) => name === from);
  if (stage !== undefined && !existsSync(rootOf(image, stage.name))) await build(image, stage);
  const base = stage === undefined ? root : rootOf(image, stage.name);
  const file = path.join(base, source);
  const isFolder = (await readdir(file).catch(() => undefined)) !== undefined;
  await cp(file, isFolder ? to : path.join(to, path.basename(file)), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (entry) => stage !== undefined || !isIgnored(path.relative(root, entry)),
  });
}

/** The environment without what would tie a child process to this test run, or to the npm script that started it. */
function withoutTestRunner(): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !/^(NODE_TEST_CONTEXT|NODE_OPTIONS|NODE_ENV|npm_package_.*|npm_lifecycle_.*|npm_command|INIT_CWD)$/.test(name),
    ),
  );
}

/** What the built files import of packages: their names, or paths in them. */
async function packagesImported(folder: string): Promise<string[]> {
  const found = new Set<string>();
  for (const file of await readdir(folder, { recursive: true })) {
    if (!file.endsWith('.js')) continue;
    const text = await readFile(path.join(folder, file), 'utf8');
    for (const [, atStart, later] of text.matchAll(
      /^(?:import|export) (?:[^;]*? from )?'([^'.][^']*)'|import\('([^'.][^']*)'\)/gm,
    )) {
      const name = atStart ?? later;
      if (name !== undefined && !name.startsWith('node:')) found.add(name);
    }
  }
  return [...found];
}

/** Port of the server's `listening` line. */
async function listeningPort(server: ChildProcess): Promise<number> {
  assert.ok(server.stdout);
  const seen: string[] = [];
  for await (const line of createInterface({ input: server.stdout })) {
    seen.push(line);
    if (!line.startsWith('{')) continue;
    const entry = JSON.parse(line) as { msg?: string; port?: number };
    if (entry.msg === 'listening' && entry.port !== undefined) return entry.port;
  }
  throw new Error(`the server ended before it listened: ${seen.join('\n')}`);
}

test(
  'the CPU image, laid out by the commands of the Dockerfile, serves, passes its HEALTHCHECK and stops on SIGTERM',
  { skip },
  async () => {
    const image = await mkdtemp(path.join(tmpdir(), 'carpool-image-'));
    try {
      const cpu = stages.find(({ name }) => name === 'cpu');
      assert.ok(cpu);
      await build(image, cpu);
      const app = path.join(rootOf(image, 'cpu'), 'app');
      assert.deepEqual((await readdir(app)).sort(), ['LICENSE', 'dist', 'models', 'node_modules', 'package.json']);
      assert.deepEqual(await readdir(path.join(app, 'dist')), ['src']);

      const { dependencies } = JSON.parse(await readFile(path.join(app, 'package.json'), 'utf8')) as {
        dependencies: Record<string, string>;
      };
      const imported = await packagesImported(path.join(app, 'dist'));
      for (const name of Object.keys(dependencies))
        assert.ok(
          imported.some((one) => one === name || one.startsWith(`${name}/`)),
          `${name} is imported by nothing`,
        );
      await run(process.execPath, ['-e', `Promise.all(${JSON.stringify(imported)}.map((name) => import(name)))`], {
        cwd: app,
      });
      assert.ok(
        !existsSync(path.join(app, 'node_modules/typescript')),
        'development dependencies do not belong in the image',
      );

      const [program, ...args] = execForm(textsOf(cpu, 'ENTRYPOINT')[0] ?? '');
      assert.equal(program, 'node');
      const environment = {
        ...withoutTestRunner(),
        ...environmentOf(stages, cpu),
        MODELS_DIR: path.join(app, 'models'),
        HOST: '127.0.0.1',
        PORT: '0',
        LOG_FORMAT: 'json',
      };
      const server = spawn(process.execPath, args, {
        cwd: app,
        env: environment,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      try {
        const ended = new Promise((resolve) => server.once('exit', resolve));
        const port = await listeningPort(server);
        server.stdout.resume();
        const [, ...check] = execForm(/CMD (\[.*\])$/.exec(textsOf(cpu, 'HEALTHCHECK')[0] ?? '')?.[1] ?? '');
        await run(process.execPath, check, { env: { ...withoutTestRunner(), PORT: String(port) } });
        server.kill('SIGTERM');
        assert.equal(await ended, 0);
      } finally {
        server.kill('SIGKILL');
      }
    } finally {
      await rm(image, { recursive: true, force: true });
    }
  },
);
