import type { DtypeChoice } from '../dtype.ts';
import { messageOf } from '../errors.ts';
import type { ManifestLayer } from './layers.ts';
import { ModelsDir } from './models-dir.ts';
import { readPulled } from './pulled.ts';
import { publicReason } from './reason.ts';
import { readChosenSources } from './source.ts';
import { fileBytesOf } from './weight-bytes.ts';

/** A model's folder, as read without loading it. */
export interface ListedModel {
  readonly name: string;
  /** Those that would serve, ascending. */
  readonly versions: readonly number[];
  /** Undefined if it cannot be read. */
  readonly task?: string;
  /** Of the files that it is loaded from. */
  readonly bytes: number;
  /** `owner/name@commit` of the hub that it was pulled from. */
  readonly from?: string;
  /** Why it would not serve. */
  readonly problem?: string;
}

export interface ListOptions {
  readonly modelsDir: string;
  readonly dtype: DtypeChoice;
  /** By model, as MODEL_OPTIONS has them. */
  readonly overrides: Readonly<Record<string, unknown>>;
}

/** The models of a folder, by name. Throws what the file system throws if that cannot be read. */
export async function listModels({ modelsDir, dtype, overrides }: ListOptions): Promise<readonly ListedModel[]> {
  const models = new ModelsDir(modelsDir);
  const listed: ListedModel[] = [];
  for (const name of await models.list()) {
    const layers: ManifestLayer[] = Object.hasOwn(overrides, name)
      ? [{ label: 'MODEL_OPTIONS', value: overrides[name] }]
      : [];
    try {
      const folder = await models.open(name);
      if (folder === undefined) continue;
      const pulled = await readPulled(folder.root);
      const sources = await readChosenSources(folder, layers, dtype);
      listed.push({
        name,
        versions: sources.map(({ version }) => version),
        task: sources.at(-1)?.manifest.task ?? '',
        bytes: fileBytesOf(sources),
        ...(pulled === undefined ? {} : { from: `${pulled.repository}@${pulled.commit.slice(0, 12)}` }),
      });
    } catch (error) {
      listed.push({ name, versions: [], bytes: 0, problem: publicReason(messageOf(error), modelsDir) });
    }
  }
  return listed;
}
