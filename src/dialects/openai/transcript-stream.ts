import { z } from 'zod';
import { once } from '../../once.ts';
import { text } from '../shared/body-schema.ts';
import type { Reply } from '../../tasks/task.ts';
import type { AnswerStream, StreamEvent } from '../shared/operation.ts';
import { replyJson } from '../shared/reply-json.ts';
import { allReplies, type ItemResult } from '../shared/results.ts';
import { DURATION_USAGE, readTranscript, usageOf } from './transcript.ts';

export const TRANSCRIPT_EVENT = once(() =>
  z.union([
    z.object({ type: z.literal('transcript.text.delta'), delta: text }),
    z.object({ type: z.literal('transcript.text.done'), text, usage: DURATION_USAGE() }),
  ]),
);

/** A transcription as OpenAI's events. https://platform.openai.com/docs/api-reference/audio/transcript-text-delta-event */
export class TranscriptStream implements AnswerStream {
  #sent = '';

  piece(_index: number, event: unknown): StreamEvent[] {
    const { delta } = event as { readonly delta: string };
    this.#sent += delta;
    return [JSON.stringify({ type: 'transcript.text.delta', delta })];
  }

  done(_index: number, reply: Reply): StreamEvent[] {
    const transcript = readTranscript(replyJson(reply));
    const { text } = transcript;
    const rest = text.startsWith(this.#sent) ? text.slice(this.#sent.length) : '';
    return [
      ...(rest === '' ? [] : [JSON.stringify({ type: 'transcript.text.delta', delta: rest })]),
      JSON.stringify({ type: 'transcript.text.done', text, usage: usageOf(transcript) }),
    ];
  }

  end(results: readonly ItemResult[]): StreamEvent[] {
    allReplies(results);
    return [];
  }
}
