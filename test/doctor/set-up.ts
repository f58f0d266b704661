import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { inspectConfig } from '../../src/config/read.ts';
import { examine } from '../../src/doctor/doctor.ts';
import type { Finding, Machine, Outcome } from '../../src/doctor/finding.ts';
import { SHIPPED_MODELS } from '../process/carpool.ts';

/** Set-ups for tests of the doctor: a folder with the model `square`, and a machine whose programs are made up. */

/** A set-up with one thing wrong, and what the doctor says of it. */
export interface Broken {
  readonly what: string;
  /** Options, made in a folder of its own that holds the model `square` in `models`. */
  readonly env?: (folder: string, t: TestContext) => Promise<Readonly<Record<string, string>>>;
  readonly machine?: (folder: string) => Promise<Partial<Machine>>;
  /** Whether models are loaded. */
  readonly load?: boolean;
  readonly check: string;
  readonly outcome?: Outcome;
  readonly detail: RegExp;
  readonly cure: RegExp;
}

/** What nvidia-smi says of a GPU. */
const GPU = 'NVIDIA GeForce RTX 4090, 24564, 23987, 570.86.15, 41\n';

/** Answers of programs by their name and last argument; others are not there. */
export function programs(answers: Readonly<Record<string, string>>): Machine['run'] {
  return async (command, args) => {
    const wanted = [`${command} ${args.at(-1) ?? ''}`, command].find((name) => Object.hasOwn(answers, name));
    if (wanted !== undefined) return Promise.resolve(answers[wanted] ?? '');
    if (command === process.execPath) return JSON.stringify({ version: await onnxRuntimeVersion() });
    throw Object.assign(new Error(`spawn ${command} ENOENT`), { code: 'ENOENT' });
  };
}

async function onnxRuntimeVersion(): Promise<string> {
  const text = await readFile(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { dependencies: Record<string, string> }).dependencies['onnxruntime-node'] ?? '';
}

/** A root with the devices of a GPU, as the driver shows them. */
async function rootWithGpu(folder: string): Promise<string> {
  await mkdir(path.join(folder, 'root/dev'), { recursive: true });
  for (const device of ['nvidiactl', 'nvidia0']) await writeFile(path.join(folder, 'root/dev', device), '');
  return path.join(folder, 'root/');
}

/** A machine with that GPU and a provider; `answers` as of `programs`. */
export async function machineWithGpu(
  folder: string,
  answers: Readonly<Record<string, string>>,
): Promise<Partial<Machine>> {
  const providerFile = path.join(folder, 'provider.so');
  await writeFile(providerFile, '');
  return { root: await rootWithGpu(folder), providerFile, run: programs({ 'nvidia-smi': GPU, ...answers }) };
}

/** What the doctor finds in a set-up. */
export async function findings({ env, machine, load = false }: Partial<Broken>, t: TestContext): Promise<Finding[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'carpool-doctor-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(path.join(folder, 'root'), { recursive: true });
  await cp(path.join(SHIPPED_MODELS, 'square'), path.join(folder, 'models/square'), { recursive: true });
  const usual = { HOST: '127.0.0.1', PORT: '0', MODELS_DIR: path.join(folder, 'models') };
  const inspected = inspectConfig({ flags: {}, env: { ...usual, ...(await env?.(folder, t)) }, file: {} });
  const found: Finding[] = [];
  const here: Machine = {
    root: path.join(folder, 'root/'),
    providerFile: '',
    nodeVersion: 'v24.1.0',
    memoryBytes: 16e9,
    run: programs({}),
    isSet: () => false,
    ...(await machine?.(folder)),
  };
  await examine({ ...inspected, machine: here, load }, (finding) => found.push(finding));
  return found;
}

/** Tests that the doctor names what is wrong with a set-up, and nothing else. */
export function testNamed(broken: Broken): void {
  test(`the doctor names ${broken.what}, and what mends it`, async (t) => {
    const { check, outcome = 'problem', detail, cure } = broken;
    const found = await findings(broken, t);
    const named = found.find((one) => one.check === check && one.outcome === outcome && detail.test(one.detail));
    assert.ok(named, JSON.stringify(found, null, 1));
    assert.match(named.cure ?? '', cure);
    assert.ok(!JSON.stringify(found).includes('hidden'), 'a password was told');
    // What is wrong with one thing is told of that thing alone.
    assert.deepEqual(
      found.filter((one) => one.outcome === 'problem' && one.check !== check),
      [],
    );
  });
}
