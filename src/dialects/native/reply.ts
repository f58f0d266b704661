import { z } from 'zod';
import { once } from '../../once.ts';
import { count } from '../shared/answer-schema.ts';
import { text } from '../shared/body-schema.ts';
import Negotiator from 'negotiator';
import { ERRORS, errorBody, type ErrorCode, type ServerError } from '../../errors.ts';
import type { Reply } from '../../tasks/task.ts';
import { JSON_TYPE } from '../shared/about.ts';
import { JsonChunks } from '../shared/json-chunks.ts';
import type { Answer, AnswerHead } from '../shared/operation.ts';
import { base64Of } from '../shared/reply-json.ts';
import type { ItemResult } from '../shared/results.ts';

/** Replies of the native API (docs/api.md). */

/** The form of the request, which decides the form of the answer. */
export interface NativeForm {
  readonly kind: 'single' | 'many';
  /** The item came as a raw body. */
  readonly raw: boolean;
}

/** What the answer depends on. */
const HEADERS = { Vary: 'Accept' };

/**
 * The error of the whole request, if there is one: that of a single item or, if every one of many was refused for a passing reason (full, draining,
 * too late), the one with the longest wait, so that clients and load balancers see it. Otherwise each item is answered on its own.
 */
function refusalOf(kind: NativeForm['kind'], results: readonly ItemResult[]): ServerError | undefined {
  const errors = results.flatMap((result) => (result.ok ? [] : [result.error]));
  if (errors.length < results.length) return undefined;
  if (kind === 'many' && !errors.every(({ code }) => ERRORS[code].retryable)) return undefined;
  return errors.reduce<ServerError | undefined>(
    (last, error) => (last === undefined || (error.retryAfterMs ?? 0) > (last.retryAfterMs ?? 0) ? error : last),
    undefined,
  );
}

export const NATIVE_ANSWER = once(() => {
  const done = z.object({ result: z.unknown().meta({ description: 'The reply of the task' }) }).meta({ id: 'Result' });
  const failed = z
    .object({ error: text, code: z.enum(CODES), retryAfterMs: count.optional() })
    .meta({ id: 'FailedItem' });
  return z.union([done, z.object({ results: z.array(z.union([done, failed])) }).meta({ id: 'Results' })]);
});

const CODES = Object.keys(ERRORS) as ErrorCode[];

/**
 * One item: `{"result": reply}`. A reply of bytes is sent raw if the client prefers that by Accept, or has no preference and sent a raw body itself;
 * otherwise as base64 text. Many: `{"results": [{"result": reply} or {"error", "code"}, ...]}`, even if some items failed.
 * Throws the error of the whole request, if there is one.
 */
export function encodeNative(
  results: readonly ItemResult[],
  { kind, raw }: NativeForm,
  { accept }: Pick<AnswerHead, 'accept'>,
): Answer {
  const refusal = refusalOf(kind, results);
  if (refusal !== undefined) throw refusal;
  const [first] = results;
  if (kind === 'many' || first?.ok !== true) return json(listText(results));
  const { reply } = first;
  if ('bytes' in reply && prefersBytes({ raw, accept }, reply.contentType))
    return { contentType: reply.contentType, chunks: [reply.bytes], headers: HEADERS };
  return json([Buffer.from(resultText(reply))]);
}

function prefersBytes({ raw, accept }: { raw: boolean; accept: string | undefined }, contentType: string): boolean {
  const available = raw ? [contentType, JSON_TYPE] : [JSON_TYPE, contentType];
  const preferred = new Negotiator({ headers: { accept } }).mediaType(available);
  // A client that accepts neither gets the default (RFC 9110, 12.5.1).
  return (preferred ?? available[0]) === contentType;
}

function json(chunks: readonly Uint8Array[]): Answer {
  return { contentType: JSON_TYPE, chunks, headers: HEADERS };
}

function listText(results: readonly ItemResult[]): Uint8Array[] {
  const text = new JsonChunks();
  for (const [index, result] of results.entries()) {
    text.add(index === 0 ? '{"results":[' : ',');
    text.add(result.ok ? resultText(result.reply) : JSON.stringify(errorBody(result.error)));
  }
  text.add(']}');
  return text.finish();
}

function resultText(reply: Reply): string {
  if ('json' in reply) return JSON.stringify({ result: reply.json });
  return JSON.stringify({ result: base64Of(reply.bytes) });
}
