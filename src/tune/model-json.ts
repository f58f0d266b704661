import { isObject, type JsonObject } from '../json.ts';
import { jsonMembers } from '../json-members.ts';

/** Changes members of a JSON object as text, and leaves everything else in it as it was written. */

/** The text of an object with these members; members that are objects in both are merged. Throws a plain Error if the text is no JSON object. */
export function withMembers(text: string, members: JsonObject): string {
  let bytes: Buffer = Buffer.from(text);
  for (const [name, value] of Object.entries(members)) bytes = withMember(bytes, name, value);
  // Never anything that cannot be read.
  JSON.parse(bytes.toString());
  return bytes.toString();
}

function withMember(bytes: Buffer, name: string, value: unknown): Buffer {
  const found = jsonMembers(bytes);
  if (found === undefined) throw new Error('model.json is no JSON object');
  const range = found.get(name);
  if (range === undefined) return inserted(bytes, name, value, found.size === 0);
  const old = bytes.subarray(range.start, range.end);
  const now =
    isObject(value) && isObject(JSON.parse(old.toString()))
      ? withMembers(old.toString(), value)
      : JSON.stringify(value);
  return Buffer.concat([bytes.subarray(0, range.start), Buffer.from(now), bytes.subarray(range.end)]);
}

/** At the end of the object: on a line of its own where the last member is, else on the same. */
function inserted(bytes: Buffer, name: string, value: unknown, isEmpty: boolean): Buffer {
  const close = bytes.lastIndexOf('}');
  const inside = bytes.toString('utf8', 0, close);
  const kept = inside.trimEnd();
  const tail = inside.slice(kept.length);
  const indent = /\n([ \t]+)\S/.exec(inside)?.[1];
  const between = indent === undefined ? (isEmpty ? '' : ' ') : `\n${indent}`;
  const member = `${JSON.stringify(name)}: ${spaced(value)}`;
  return Buffer.from(`${kept}${isEmpty ? '' : ','}${between}${member}${tail}${bytes.toString('utf8', close)}`);
}

/** JSON on a line, as people write it. */
function spaced(value: unknown): string {
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${spaced(one)}`);
  return `{ ${members.join(', ')} }`;
}
