import { isObject } from '../../json.ts';
import type { TaskSource } from '../task.ts';
import { readJsonObject } from '../text/json-file.ts';

/** Ids by letter or phoneme: vocab.json, or the vocabulary in a tokenizer.json of transformers.js. Throws a plain Error if there is neither. */
export async function readVocabulary(files: TaskSource['files']): Promise<ReadonlyMap<string, number>> {
  const own = await readJsonObject(files['vocabulary'] ?? files['tokenizer'], 'the vocabulary');
  const { model } = own;
  const entries = isObject(model) ? model['vocab'] : own;
  const ids = new Map<string, number>();
  for (const [token, id] of Object.entries(entries ?? {})) if (typeof id === 'number') ids.set(token, id);
  if (ids.size === 0) throw new Error('vocab.json or a tokenizer.json with a vocabulary is needed');
  return ids;
}
