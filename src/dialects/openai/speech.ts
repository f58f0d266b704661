import { z } from 'zod';
import { once } from '../../once.ts';
import { count } from '../shared/answer-schema.ts';
import { ServerError } from '../../errors.ts';
import { parseJsonObject } from '../../json.ts';
import type { Reply } from '../../tasks/task.ts';
import { choice, harmless, issue, nested, number, readFields, text, unknownFields } from '../shared/body-schema.ts';
import { jsonItem, type Answer, type AnswerStream, type ItemsRequest, type StreamEvent } from '../shared/operation.ts';
import { base64Of, replyJson } from '../shared/reply-json.ts';
import { allReplies, type ItemResult } from '../shared/results.ts';

export interface SpeechOptions {
  /** Bytes as they are made, or events with some of them each; undefined: the answer is whole. */
  readonly stream: 'audio' | 'sse' | undefined;
}

const FORMATS = ['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'] as const;

const schema = z.object({
  input: text.check(({ value, issues }) => {
    if (value === '') issues.push(issue(value, '', { reason: 'empty_input' }));
  }),
  model: text.optional(),
  voice: z.union([text, nested({ id: text })], "a voice: 'alloy', or {id: 'alloy'}").optional(),
  response_format: choice(FORMATS).optional(),
  speed: number({ min: 0.25, max: 4 }).optional(),
  stream_format: choice(['audio', 'sse']).optional(),
  ...harmless(['user']),
});

export { schema as SPEECH_BODY };

/**
 * `POST /v1/audio/speech`. Without a format it is OpenAI's, MP3, where the server can write that, else WAV. Throws BAD_REQUEST.
 * https://platform.openai.com/docs/api-reference/audio/createSpeech
 */
export function decodeSpeech(body: Uint8Array): ItemsRequest<SpeechOptions> {
  const values = parseJsonObject(body);
  const ignored = unknownFields(schema, values);
  const { input, model, voice, response_format: format, speed, stream_format: stream } = readFields(schema, values);
  const parameters = {
    voice: typeof voice === 'object' ? voice.id : voice,
    speed,
    format: format ?? ['mp3', 'wav'],
  };
  return { model, ignored, items: [jsonItem(input, parameters)], options: { stream } };
}

/** The audio as a whole. */
export function encodeSpeech(results: readonly ItemResult[]): Answer {
  const [reply] = allReplies(results);
  if (reply === undefined || !('bytes' in reply))
    throw new ServerError('INTERNAL', undefined, { cause: new Error('the task gave no audio') });
  return { contentType: reply.contentType, chunks: [reply.bytes] };
}

/** What the task tells while it speaks. */
interface AudioPiece {
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** Audio as it is made. */
export class SpeechStream implements AnswerStream {
  readonly isOfBytes = true;
  contentType: string | undefined;

  piece(_index: number, event: unknown): StreamEvent[] {
    const { contentType, bytes } = event as AudioPiece;
    this.contentType ??= contentType;
    return bytes.byteLength === 0 ? [] : [bytes];
  }

  done(): StreamEvent[] {
    return [];
  }

  end(results: readonly ItemResult[]): StreamEvent[] {
    allReplies(results);
    return [];
  }
}

export const SPEECH_EVENT = once(() => {
  const usage = z.object({ input_tokens: count, output_tokens: count, total_tokens: count });
  return z.union([
    z.object({ type: z.literal('speech.audio.delta'), audio: text }),
    z.object({ type: z.literal('speech.audio.done'), usage }),
  ]);
});

/** The same as events. https://platform.openai.com/docs/api-reference/audio/speech-audio-delta-event */
export class SpeechEvents implements AnswerStream {
  piece(_index: number, event: unknown): StreamEvent[] {
    const { bytes } = event as AudioPiece;
    if (bytes.byteLength === 0) return [];
    return [JSON.stringify({ type: 'speech.audio.delta', audio: base64Of(bytes) })];
  }

  done(_index: number, reply: Reply): StreamEvent[] {
    return [JSON.stringify({ type: 'speech.audio.done', usage: replyJson(reply) })];
  }

  end(results: readonly ItemResult[]): StreamEvent[] {
    allReplies(results);
    return [];
  }
}
