import { z } from 'zod';
import { isObject } from '../../json.ts';
import { choice, issue, list } from '../shared/body-schema.ts';

/** The messages of a chat, as the task takes them: calls of tools, whose parts the task checks, go on as they are. */

/** `developer` is OpenAI's newer word for `system`; chat templates know the older one. */
const ROLES = {
  ...{ system: 'system', developer: 'system', user: 'user', assistant: 'assistant' },
  ...{ tool: 'tool', function: 'function' },
} as const;
const role = choice(Object.keys(ROLES) as (keyof typeof ROLES)[]);

const unsupported = (input: unknown) =>
  issue(input, 'is not supported by this server: messages are text', { reason: 'unsupported_parameter' });

const part = z
  .custom<{ readonly type: 'text'; readonly text: string }>()
  .check(({ value, issues }) => {
    const given: unknown = value;
    if (!isObject(given)) issues.push(issue(given, 'an object', { reason: 'invalid_type' }));
    else if (given['type'] !== 'text') issues.push(unsupported(given));
    else if (typeof given['text'] !== 'string')
      issues.push(issue(given, 'a string', { reason: 'invalid_type', path: ['text'] }));
  })
  .transform(({ type, text: words }) => ({ type, text: words }));

/** `null` is the content of an assistant that said nothing. */
const content = z.union([z.string(), z.null(), list(part, 'an array of parts')], 'a string or an array of parts');

const noAudio = z
  .unknown()
  .check(({ value, issues }) => {
    if (value !== undefined && value !== null) issues.push(unsupported(value));
  })
  .optional();

const thoughts = z.union([z.string(), z.null()], 'a string').optional();

const message = z
  .object(
    {
      role,
      content: content.optional(),
      name: z.string('a string').nullish(),
      tool_calls: z.array(z.unknown(), 'an array of calls').nullish(),
      tool_call_id: z.string('a string').nullish(),
      function_call: z.unknown().optional(),
      audio: noAudio,
      /** What the assistant thought, by either of two names that clients give it. */
      ...{ reasoning_content: thoughts, reasoning: thoughts },
    },
    'an object',
  )
  .check(({ value, issues }) => {
    if (value.content === undefined && !hasCalls(value)) issues.push(issue(undefined, '', { path: ['content'] }));
  })
  .transform((value) => {
    const { role: given, name, tool_calls: calls, tool_call_id: id, function_call: call } = value;
    const thought = value.reasoning_content ?? value.reasoning ?? '';
    const answers = given === 'tool' || given === 'function';
    return {
      role: ROLES[given],
      content: value.content ?? (hasCalls(value) ? null : ''),
      ...(thought === '' ? {} : { reasoning_content: thought }),
      ...(answers && typeof name === 'string' ? { name } : {}),
      ...(given === 'tool' ? { tool_call_id: id } : {}),
      ...(hasCalls(value) && (call === undefined || call === null) ? { tool_calls: calls } : {}),
      ...(given === 'assistant' && isObject(call) ? { function_call: call } : {}),
    };
  });

function hasCalls({
  role: given,
  tool_calls: calls,
  function_call: call,
}: {
  readonly role: string;
  readonly tool_calls?: readonly unknown[] | null | undefined;
  readonly function_call?: unknown;
}): boolean {
  if (given !== 'assistant') return false;
  return (Array.isArray(calls) && calls.length > 0) || isObject(call);
}

export const MESSAGES = list(message, 'an array of messages').check(({ value, issues }) => {
  if (value.length === 0) issues.push(issue(value, '', { reason: 'empty_input' }));
});
