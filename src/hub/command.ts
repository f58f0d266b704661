import type { Config } from '../config/options.ts';
import { parseReferences } from '../config/hub-reference.ts';
import { createBar, createLines, megabytes } from './progress.ts';
import { pullModel, type Pull } from './pull.ts';
import { optionsOf } from './pull-models.ts';

/** `carpool pull`: brings one model from a hub into a folder. */

export interface PulledModel extends Pull {
  /** `owner/name`. */
  readonly repository: string;
}

/** Pulls the first model of the configuration, with progress on `stderr`. Rejects with a HubError, or the signal's reason. */
export async function pullOne(config: Config, stderr: NodeJS.WriteStream, signal: AbortSignal): Promise<PulledModel> {
  const [reference] = parseReferences(config.CARPOOL_MODELS, []);
  if (reference === undefined) throw new Error('There is no model to pull');
  const line = (text: string): boolean => stderr.write(`${text}\n`);
  const pull = await pullModel(reference, {
    ...optionsOf(config),
    refresh: true,
    progress: stderr.isTTY ? createBar(stderr) : createLines(line),
    onNote: line,
    signal,
  });
  return { repository: reference.repository, ...pull };
}

/** What came of a pull, for a person. */
export function pulledText({ folder, repository, commit, bytes, isNew }: PulledModel): string {
  const what = `${repository}@${commit.slice(0, 12)}, ${megabytes(bytes)} MB`;
  return isNew ? `${folder} is there: ${what}` : `${folder} is up to date: ${what}`;
}
