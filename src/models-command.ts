import { lstat, rm, unlink } from 'node:fs/promises';
import path from 'node:path';
import { OPTION_FLAGS, readArguments } from './config/flags.ts';
import type { Config } from './config/options.ts';
import { isModelName } from './model.ts';
import { nearName } from './near-name.ts';
import { listModels, type ListedModel } from './repository/listing.ts';

/** `carpool list` and `carpool rm`: the models of MODELS_DIR, without a server. */

export const LIST_USAGE = [
  'Usage: carpool list [--json] [flags of carpool serve]',
  '',
  'The models of MODELS_DIR: task, versions that would serve, size, where they were pulled from, and what is wrong with them.',
].join('\n');

export const RM_USAGE = [
  'Usage: carpool rm <model> [--yes] [flags of carpool serve]',
  '',
  'Deletes a model from MODELS_DIR: its folder with all in it, or its ONNX file. Of a link, only the link goes.',
  '',
  '  --yes  deletes it; without it, the command says what would be deleted',
].join('\n');

export interface ModelsFlags {
  readonly json: boolean;
  readonly yes: boolean;
  readonly names: readonly string[];
  /** The other flags, which are of the configuration. */
  readonly rest: readonly string[];
}

/** What a command line asks for, or what is wrong with it. `wanted`: the number of models it must name. */
export function modelsFlags(argv: readonly string[], wanted: 0 | 1): ModelsFlags | { readonly problem: string } {
  const kinds = { ...OPTION_FLAGS, json: 'switch', yes: 'switch' } as const;
  const { values, positionals, problems } = readArguments(argv, kinds);
  if (problems.length > 0) return { problem: problems.join('\n') };
  if (positionals.length !== wanted) return { problem: wanted === 0 ? 'list takes no names' : 'Name one model' };
  const { json, yes, ...config } = values;
  const rest = Object.entries(config).map(([name, value]) => `--${name}=${value}`);
  return { json: json === 'true', yes: yes === 'true', names: positionals, rest };
}

/** What `carpool list` prints. */
export async function listCommand(config: Config, { json }: Pick<ModelsFlags, 'json'>): Promise<string> {
  const models = await listModels({
    modelsDir: config.MODELS_DIR,
    dtype: config.DTYPE,
    overrides: config.MODEL_OPTIONS,
  });
  if (json) return JSON.stringify(models, null, 2);
  if (models.length === 0) return `There is no model in ${config.MODELS_DIR}. carpool pull brings one from a hub.`;
  const rows = [['MODEL', 'TASK', 'VERSIONS', 'MB', 'FROM'], ...models.map(rowOf)];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const problems = models.flatMap(({ name, problem }) => (problem === undefined ? [] : `${name}: ${problem}`));
  return [...lines, ...(problems.length === 0 ? [] : ['', ...problems])].join('\n');
}

function rowOf({ name, task, versions, bytes, from, problem }: ListedModel): string[] {
  const megabytes = problem === undefined ? (bytes / 1e6).toFixed(1) : '';
  return [name, task ?? 'does not serve', versions.join(', '), megabytes, from ?? ''];
}

/** Deletes a model, or says what would be deleted. Throws a plain Error if there is none of this name. */
export async function removeCommand(config: Config, { names: [name = ''], yes }: ModelsFlags): Promise<string> {
  const place = await placeOf(config.MODELS_DIR, name);
  if (!yes) return `${place} would be deleted: say --yes`;
  const isLink = (await lstat(place)).isSymbolicLink();
  await (isLink ? unlink(place) : rm(place, { recursive: true }));
  return isLink ? `${place}, a link, is gone; what it led to is still there` : `${place} is gone`;
}

async function placeOf(modelsDir: string, name: string): Promise<string> {
  for (const entry of isModelName(name) ? [name, `${name}.onnx`] : []) {
    const place = path.join(modelsDir, entry);
    if ((await lstat(place).catch(() => undefined)) !== undefined) return place;
  }
  const models = await listModels({ modelsDir, dtype: 'auto', overrides: {} });
  const near = nearName(
    name,
    models.map((model) => model.name),
  );
  throw new Error(`There is no model ${name} in ${modelsDir}${near === undefined ? '' : `. Did you mean ${near}?`}`);
}
