import { wavHeader } from '../../src/tasks/text-to-speech/formats.ts';
import type { StubModel } from './stub-services.ts';

/** Models that answer the OpenAI API without a model. */

export const chat: StubModel = {
  name: 'talker',
  task: 'chat',
  serve: () =>
    Promise.resolve({
      json: { text: 'Hi', finish_reason: 'stop', prompt_tokens: 3, completion_tokens: 2, token_ids: [1, 2] },
    }),
};
/** A segment of a transcript. */
export const HELLO = {
  ...{ id: 0, seek: 0, start: 0, end: 1.5, text: ' Hello', tokens: [1, 2] },
  ...{ temperature: 0, avg_logprob: -0.5, compression_ratio: 1, no_speech_prob: 0.1 },
};
export const ears: StubModel = {
  name: 'ears',
  task: 'transcription',
  serve: (item) =>
    Promise.resolve({
      json: {
        text: item.kind === 'raw' ? `${item.contentType} ${item.bytes.byteLength}` : '',
        language: 'en',
        task: item.parameters?.['task'],
        duration: 1.5,
        segments: item.parameters?.['timestamps'] === true ? [HELLO] : [],
        real_time_factor: 0.1,
      },
    }),
};
export const painter: StubModel = {
  name: 'painter',
  task: 'text-to-image',
  serve: (item) =>
    Promise.resolve({
      contentType: 'image/png',
      bytes: Buffer.from(JSON.stringify(item.kind === 'json' && [item.value, item.parameters])),
    }),
};
export const mouth: StubModel = {
  name: 'mouth',
  task: 'text-to-speech',
  serve: (_item, { emit, streaming }) => {
    const audio = { contentType: 'audio/wav', bytes: Buffer.concat([wavHeader(16_000, 200), Buffer.alloc(200)]) };
    if (!streaming) return Promise.resolve(audio);
    emit(audio);
    return Promise.resolve({ json: { input_tokens: 1, output_tokens: 0, total_tokens: 1 } });
  },
};
