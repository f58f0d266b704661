import { readFile } from 'node:fs/promises';
import { isObject, type JsonObject } from '../../json.ts';

/** The JSON value in one of a model's files; undefined if the model has no such file. Throws a plain Error that calls the file `name`. */
export async function readJson(file: string | undefined, name: string): Promise<unknown> {
  if (file === undefined) return undefined;
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'is not valid JSON' : 'cannot be read';
    throw new Error(`${name} ${reason}`, { cause: error });
  }
}

/** The JSON object in one of a model's files; empty if the model has no such file. Throws a plain Error that calls the file `name`. */
export async function readJsonObject(file: string | undefined, name: string): Promise<JsonObject> {
  const value = await readJson(file, name);
  if (value === undefined) return {};
  if (!isObject(value)) throw new Error(`${name} does not hold a JSON object`);
  return value;
}
