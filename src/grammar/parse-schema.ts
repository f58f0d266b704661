import { isDeeper, MOST_DEPTH } from '../json.ts';
import { messageOf } from '../errors.ts';
import { GrammarError } from './grammar-error.ts';

/** Longest text of a schema, in UTF-16 units. */
const MOST_CHARACTERS = 256 * 1024;

/** The value of a schema's text. Throws GrammarError. */
export function parseSchema(text: string): unknown {
  if (text.length > MOST_CHARACTERS) throw new GrammarError(`a schema may have ${MOST_CHARACTERS} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new GrammarError(`the schema is not valid JSON: ${messageOf(error)}`);
  }
  if (isDeeper(value, MOST_DEPTH)) throw new GrammarError(`the schema is nested more than ${MOST_DEPTH} deep`);
  return value;
}
