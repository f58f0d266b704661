import { ServerError } from '../../errors.ts';
import type { GenerationParameters } from '../../tasks/chat/generation.ts';
import type { LaneTicket } from '../../lanes/protocol.ts';
import { typedView } from '../../tensors/tensor.ts';
import type { LaneGrammars } from './grammars.ts';
import { Row } from './row.ts';

/** Limits of a ticket. */
export interface RowLimits {
  readonly contextTokens: number;
  /** Ids are below it; undefined where the graph does not say. */
  readonly vocabulary: number | undefined;
}

/**
 * The row of a new ticket. Throws INVALID_INPUT on what would fail the run of all other rows too, or never end. The task checks what clients
 * send; this is the last check before the graph.
 */
export function readRow(
  { id, inputs, parameters }: LaneTicket,
  { contextTokens, vocabulary }: RowLimits,
  grammars: LaneGrammars,
): Row {
  const [tensor] = inputs ?? [];
  if (tensor?.datatype !== 'INT32') throw new ServerError('INVALID_INPUT', 'The prompt must be INT32 [1, tokens].');
  const prompt = typedView(tensor);
  if (!(prompt instanceof Int32Array) || prompt.length === 0)
    throw new ServerError('INVALID_INPUT', 'The prompt has no tokens.');
  const wrong = prompt.find((token) => token < 0 || token >= (vocabulary ?? Infinity));
  if (wrong !== undefined) throw new ServerError('INVALID_INPUT', `The model has no token ${wrong}.`);
  const asked = parameters as GenerationParameters;
  const room = contextTokens - prompt.length;
  if (room < Math.min(1, asked.maxTokens))
    throw new ServerError(
      'INVALID_INPUT',
      `The prompt has ${prompt.length} tokens; the model takes ${contextTokens} of prompt and answer together.`,
    );
  return new Row(id, prompt, { ...asked, maxTokens: Math.min(asked.maxTokens, room) }, grammars);
}
