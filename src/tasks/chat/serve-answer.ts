import { ServerError } from '../../errors.ts';
import { servedInTwoParts } from '../served.ts';
import type { Prepared, Reply, ServeContext, Task } from '../task.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';
import { Answer, type AnswerMemo, type AnswerPiece } from './answer.ts';
import type { GenerationProgress } from './generation.ts';

/** How a task serves answers whose items it prepares: its `prepare`, which must be one of its calls, too, and `isLight`. */
export function answerServing(
  tokenizer: TextTokenizer,
  { prepare, isLight }: Pick<Task, 'prepare' | 'isLight'>,
): Required<Pick<Task, 'serve' | 'reading'>> {
  return servedInTwoParts({
    ...{ read: prepare, call: 'prepare', isLight },
    serve: (prepared: Prepared, context) => writeAnswer(prepared, context, tokenizer),
  });
}

/** Runs one ticket, and tells pieces of its answer as they come; ends it when a stop text is met. */
async function writeAnswer(prepared: Prepared, context: ServeContext, tokenizer: TextTokenizer): Promise<Reply> {
  const memo = prepared.memo as AnswerMemo;
  // With log probabilities of its prompt an answer comes in one piece, because they stand first and are only known once the prompt is computed.
  const inPieces = memo.prompt === undefined;
  const emit = (piece: AnswerPiece): void => {
    context.emit(piece);
  };
  const answer = new Answer(tokenizer, memo, inPieces && context.streaming ? emit : undefined);
  const listens = inPieces && (context.streaming || memo.stop.length > 0 || memo.tools?.parallel === false);
  const ending = new AbortController();
  const listen = (progress: unknown): void => {
    // A run that computed a part of the prompt, or of others' prompts, has nothing to tell.
    if (progress === undefined) return;
    answer.take(progress as GenerationProgress);
    if (answer.stopped) ending.abort();
  };
  try {
    answer.takeOutputs(await context.run(prepared, listens ? listen : undefined, ending.signal));
  } catch (error) {
    // A stop text ended the ticket.
    if (!(answer.stopped && error instanceof ServerError && error.code === 'CANCELLED')) throw error;
  }
  context.count('tokens', answer.generatedTokens);
  context.count('prompt_tokens', memo.promptTokens);
  return answer.reply();
}
