import { z } from 'zod';
import { once } from '../../once.ts';
import type { Reply } from '../../tasks/task.ts';
import { isObject } from '../../json.ts';
import { JsonChunks } from '../shared/json-chunks.ts';
import type { Answer } from '../shared/operation.ts';
import { base64Of } from '../shared/reply-json.ts';
import { allReplies, type ItemResult } from '../shared/results.ts';
import type { HfOptions } from './requests.ts';

/** The reply of a task (docs/tasks.md), or a list of them. */
export const HF_ANSWER = once(() => z.unknown().meta({ id: 'HfAnswer' }));

/** Answers of Hugging Face's inference API: the task's replies as they are, without our `result` around them. One bad input of a list fails the request. */
export function encodeHf(results: readonly ItemResult[], { isList, isNested, textFields }: HfOptions): Answer {
  const replies = allReplies(results, isList ? 'inputs' : undefined);
  const [first] = replies;
  if (!isList && first !== undefined && 'bytes' in first)
    return { contentType: first.contentType, chunks: [first.bytes] };
  const json = new JsonChunks();
  if (isList || isNested) json.add('[');
  for (const [index, reply] of replies.entries())
    json.add(`${index === 0 ? '' : ','}${JSON.stringify(plain(reply, textFields))}`);
  if (isList || isNested) json.add(']');
  return { contentType: 'application/json', chunks: json.finish() };
}

/** Bytes as base64 text; of an embedding its vector alone, and of a generated text the text. */
function plain(reply: Reply, textFields: readonly string[] | undefined): unknown {
  if ('bytes' in reply) return base64Of(reply.bytes);
  const { json } = reply;
  if (textFields !== undefined && isObject(json))
    return Object.fromEntries(textFields.map((name) => [name, json['text']]));
  return isObject(json) && Object.hasOwn(json, 'embedding') ? json['embedding'] : json;
}
