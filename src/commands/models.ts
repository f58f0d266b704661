import { lstat, rm, unlink } from 'node:fs/promises';
import path from 'node:path';
import { isModelName } from '../model.ts';
import { nearName } from '../near-name.ts';
import { listModels, type ListedModel } from '../repository/listing.ts';
import { columnsText, sizeText } from './columns.ts';
import { print, readOrRefuse, readOrTell } from './host.ts';
import { LIST, RM } from './specs.ts';

/** `carpool list` and `carpool rm`: the models of MODELS_DIR, without a server. */

/** `carpool list`. */
export async function list(argv: readonly string[]): Promise<void> {
  const line = readOrRefuse(LIST, argv, { operands: 0, otherwise: 'list takes no names' });
  const config = line === undefined ? undefined : readOrTell(line.rest);
  if (line === undefined || config === undefined) return;
  const models = await listModels({
    modelsDir: config.MODELS_DIR,
    dtype: config.DTYPE,
    overrides: config.MODEL_OPTIONS,
  });
  print(models, line.values['json'] === 'true', () => tableOf(models, config.MODELS_DIR));
}

/** `carpool rm`. */
export async function remove(argv: readonly string[]): Promise<void> {
  const line = readOrRefuse(RM, argv, { operands: 1, otherwise: 'Name one model' });
  const config = line === undefined ? undefined : readOrTell(line.rest);
  if (line === undefined || config === undefined) return;
  const removed = await removeModel(config.MODELS_DIR, line.operands[0] ?? '', line.values['yes'] === 'true');
  print(removed, line.values['json'] === 'true', () => removedText(removed));
}

function tableOf(models: readonly ListedModel[], modelsDir: string): string {
  if (models.length === 0) return `There is no model in ${modelsDir}. carpool pull brings one from a hub.`;
  const lines = columnsText([['MODEL', 'TASK', 'VERSIONS', 'SIZE', 'FROM'], ...models.map(rowOf)]);
  const problems = models.flatMap(({ name, problem }) => (problem === undefined ? [] : `${name}: ${problem}`));
  return [...lines, ...(problems.length === 0 ? [] : ['', ...problems])].join('\n');
}

function rowOf({ name, task, versions, bytes, from, problem }: ListedModel): string[] {
  const size = problem === undefined ? sizeText(bytes) : '';
  return [name, task ?? 'does not serve', versions.join(', '), size, from ?? ''];
}

interface Removed {
  readonly place: string;
  readonly isLink: boolean;
  /** False: it was only asked what would be. */
  readonly isGone: boolean;
}

/** Deletes a model if it is told to. Throws a plain Error if there is none of this name. */
async function removeModel(modelsDir: string, name: string, yes: boolean): Promise<Removed> {
  const place = await placeOf(modelsDir, name);
  const isLink = (await lstat(place)).isSymbolicLink();
  if (yes) await (isLink ? unlink(place) : rm(place, { recursive: true }));
  return { place, isLink, isGone: yes };
}

function removedText({ place, isLink, isGone }: Removed): string {
  if (!isGone) return `${place} would be deleted: say --yes`;
  return isLink ? `${place}, a link, is gone; what it led to is still there` : `${place} is gone`;
}

async function placeOf(modelsDir: string, name: string): Promise<string> {
  for (const entry of isModelName(name) ? [name, `${name}.onnx`] : []) {
    const place = path.join(modelsDir, entry);
    if ((await lstat(place).catch(() => undefined)) !== undefined) return place;
  }
  throw await thereIsNone(modelsDir, name);
}

/** The error for a name that no model has, with the one that was probably meant. */
export async function thereIsNone(modelsDir: string, name: string): Promise<Error> {
  const models = await listModels({ modelsDir, dtype: 'auto', overrides: {} });
  const near = nearName(
    name,
    models.map((model) => model.name),
  );
  return new Error(`There is no model ${name} in ${modelsDir}${near === undefined ? '' : `. Did you mean ${near}?`}`);
}
