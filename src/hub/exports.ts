import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { HubReference } from '../config/hub-reference.ts';
import { readPulled } from '../repository/pulled.ts';
import type { HubClient } from './client.ts';
import { HubError } from './hub-error.ts';
import { openHub, pullModel, type Pull, type PullOptions } from './pull.ts';

/**
 * ONNX exports of models whose own repositories have none. Hugging Face keeps them under two names: `onnx-community/<name>-ONNX` and, older ones,
 * `Xenova/<name>`.
 */
export function exportsOf({ repository, ...reference }: HubReference): HubReference[] {
  const name = repository.slice(repository.indexOf('/') + 1);
  return [`onnx-community/${name}-ONNX`, `Xenova/${name}`].map((one) => ({
    ...reference,
    repository: one,
    revision: 'main',
  }));
}

/** Files that say how sentences are embedded; exports of the graph alone lack them, and with another pooling the vectors would be wrong. */
const SENTENCE_FILES = [
  'modules.json',
  '1_Pooling/config.json',
  'sentence_bert_config.json',
  'config_sentence_transformers.json',
];

/**
 * Pulls a model, or an export of it if its own repository has no ONNX file. Rejects like `pullModel`, with the error of the model's own repository if there is no
 * export either. `onExport` hears of the repository that is taken.
 */
export async function pullOrExport(
  reference: HubReference,
  options: PullOptions,
  onExport: (repository: string) => void,
): Promise<Pull> {
  const target = path.join(options.modelsDir, reference.folder);
  const there = (await readPulled(target))?.repository;
  const known = exportsOf(reference).find(({ repository }) => repository === there);
  if (known !== undefined) return pullModel(known, options);
  try {
    return await pullModel(reference, options);
  } catch (error) {
    if (!(error instanceof HubError) || error.reason !== 'no-graph') throw error;
    return pullExport(reference, { options, error, onExport });
  }
}

async function pullExport(
  reference: HubReference,
  parts: { options: PullOptions; error: HubError; onExport: (repository: string) => void },
): Promise<Pull> {
  const { options, error, onExport } = parts;
  const candidates = exportsOf(reference);
  for (const candidate of candidates) {
    try {
      const pull = await pullModel(candidate, options);
      onExport(candidate.repository);
      await addSentenceFiles(reference, pull, options);
      return pull;
    } catch (other) {
      if (!(other instanceof HubError) || other.reason === undefined) throw other;
    }
  }
  const names = candidates.map(({ repository }) => repository).join(' and ');
  throw new HubError(`${error.message}; there is no export at ${names} either`, { cause: error });
}

/** Adds the files of the model's own repository that its export lacks. */
async function addSentenceFiles(
  { repository, revision }: HubReference,
  pull: Pull,
  options: PullOptions,
): Promise<void> {
  const client: HubClient = openHub(options);
  try {
    const snapshot = { repository, commit: await client.commit(repository, revision) };
    const names = new Set((await client.list(snapshot)).map((file) => file.path));
    const pulled = new Set((await readPulled(pull.folder))?.files.map((file) => file.path));
    for (const name of SENTENCE_FILES.filter((one) => names.has(one) && !pulled.has(one))) {
      const file = path.join(pull.folder, name);
      const text = await client.text(snapshot, name);
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, text);
    }
  } finally {
    await client.close();
  }
}
