import { z } from 'zod';
import { once } from '../../../once.ts';
import { anything, count } from '../../shared/answer-schema.ts';
import { flag, text } from '../../shared/body-schema.ts';
import { TOKEN_LOGPROB } from '../../shared/generation-reply.ts';

/** Schemas of the response object (`output.ts`) and of its events (`stream.ts`). */

const STATUSES = ['in_progress', 'completed', 'incomplete'] as const;

const TEXT_PART = once(() =>
  z.object({
    ...{ type: z.literal('output_text'), text, annotations: z.array(z.unknown()) },
    logprobs: z.array(TOKEN_LOGPROB()),
  }),
);
const REASONING_PART = once(() => z.object({ type: z.enum(['reasoning_text', 'summary_text']), text }));

/** Each kind has a name: generators of clients that make names of the places of shapes make one name twice within a union. */
const ITEM = once(() => {
  const status = z.enum(STATUSES);
  const message = z
    .object({
      ...{ id: text, type: z.literal('message'), status, role: z.literal('assistant') },
      content: z.array(TEXT_PART()),
    })
    .meta({ id: 'ResponseMessage' });
  const reasoning = z
    .object({
      ...{ id: text, type: z.literal('reasoning'), summary: z.array(REASONING_PART()) },
      content: z.array(REASONING_PART()).optional(),
    })
    .meta({ id: 'ResponseReasoning' });
  const call = z
    .object({ id: text, type: z.literal('function_call'), status, call_id: text, name: text, arguments: text })
    .meta({ id: 'ResponseCall' });
  return z.union([message, reasoning, call]).meta({ id: 'ResponseItem' });
});

export const RESPONSE_ANSWER = once(() => {
  const usage = z.object({
    ...{ input_tokens: count, input_tokens_details: z.object({ cached_tokens: count }) },
    ...{ output_tokens: count, output_tokens_details: z.object({ reasoning_tokens: count }), total_tokens: count },
  });
  const number = z.number().nullable();
  // What a request may say, and the answer repeats.
  const asked = {
    ...{ instructions: text.nullable(), max_output_tokens: count.nullable(), metadata: anything },
    ...{ parallel_tool_calls: flag, temperature: number, top_p: number, top_logprobs: count, user: text.optional() },
    ...{ tool_choice: z.union([text, anything]), tools: z.array(anything), text: anything, reasoning: anything },
  };
  return z
    .object({
      ...{ id: text, object: z.literal('response'), created_at: count, status: z.enum([...STATUSES, 'failed']) },
      ...{ background: flag, error: z.object({ code: text, message: text }).nullable() },
      incomplete_details: z.object({ reason: text }).nullable(),
      ...asked,
      ...{ model: text, output: z.array(ITEM()), previous_response_id: z.null(), store: flag, truncation: text },
      usage: usage.nullable(),
    })
    .meta({ id: 'ResponseObject' });
});

export const RESPONSE_EVENT = once(() => {
  const of = <const Kinds extends readonly [string, ...string[]], Shape extends z.ZodRawShape>(
    kinds: Kinds,
    shape: Shape,
  ) => z.object({ type: z.enum(kinds), sequence_number: count, ...shape });
  const item = { item_id: text, output_index: count };
  const place = { ...item, content_index: count };
  const summaryPlace = { ...item, summary_index: count };
  const logprobs = z.array(TOKEN_LOGPROB());
  const states = ['response.created', 'response.in_progress'] as const;
  const ends = ['response.completed', 'response.incomplete', 'response.failed'] as const;
  const part = z.union([TEXT_PART(), REASONING_PART()]);
  return z.union([
    of([...states, ...ends], { response: RESPONSE_ANSWER() }),
    of(['response.output_item.added', 'response.output_item.done'], { output_index: count, item: ITEM() }),
    of(['response.content_part.added', 'response.content_part.done'], { ...place, part }),
    of(['response.reasoning_summary_part.added', 'response.reasoning_summary_part.done'], { ...summaryPlace, part }),
    of(['response.output_text.delta'], { ...place, delta: text, logprobs }),
    of(['response.output_text.done'], { ...place, text, logprobs }),
    of(['response.reasoning_text.delta'], { ...place, delta: text }),
    of(['response.reasoning_text.done'], { ...place, text }),
    of(['response.reasoning_summary_text.delta'], { ...summaryPlace, delta: text }),
    of(['response.reasoning_summary_text.done'], { ...summaryPlace, text }),
    of(['response.function_call_arguments.delta'], { ...item, delta: text }),
    of(['response.function_call_arguments.done'], { ...item, name: text, arguments: text }),
  ]);
});
