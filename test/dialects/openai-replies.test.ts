import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeChat } from '../../src/dialects/openai-chat-reply.ts';
import { CompletionsStream, encodeCompletions } from '../../src/dialects/openai-completions-reply.ts';
import { joinEmbeddings, printEmbeddings, similarities } from '../../src/dialects/embedding-text.ts';
import { srt, webVtt } from '../../src/dialects/transcript.ts';

const head = { id: 'r', model: 'm', created: 1 };
const token = (text: string, id: number, logprob: number | null) => ({
  token: text,
  id,
  logprob,
  bytes: [...Buffer.from(text)],
});
const logprobs = [
  { ...token('Hé', 1, null), top_logprobs: [] },
  { ...token('llo', 2, -0.5), top_logprobs: [token('llo', 2, -0.5), token('y', 3, -1)] },
];
const generation = { text: 'Héllo', finish_reason: 'length', prompt_tokens: 1, completion_tokens: 2, logprobs };

test('log probabilities of a chat name tokens and bytes, but no ids', () => {
  const { choices } = encodeChat(head, [generation]) as { choices: { logprobs: unknown; finish_reason: string }[] };
  const plain = (text: string, logprob: number | null) => ({ token: text, logprob, bytes: [...Buffer.from(text)] });
  assert.deepEqual(choices[0]?.logprobs, {
    content: [
      { ...plain('Hé', null), top_logprobs: [] },
      { ...plain('llo', -0.5), top_logprobs: [plain('llo', -0.5), plain('y', -1)] },
    ],
    refusal: null,
  });
  assert.equal(choices[0].finish_reason, 'length');
});

test('log probabilities of a completion are lists with offsets into the text, which a stream carries on', () => {
  const whole = encodeCompletions(head, [generation], { choices: 1 }) as { choices: { logprobs: unknown }[] };
  assert.deepEqual(whole.choices[0]?.logprobs, {
    tokens: ['Hé', 'llo'],
    token_logprobs: [null, -0.5],
    top_logprobs: [{}, { llo: -0.5, y: -1 }],
    text_offset: [0, 2],
  });
  const stream = new CompletionsStream(head, { choices: 1, isList: false, stream: true, includeUsage: false });
  const offsets = logprobs.flatMap((one) =>
    stream
      .piece(0, { text: one.token, logprobs: [one] })
      .map(
        (text) =>
          (JSON.parse(text) as { choices: { logprobs: { text_offset: number[] } }[] }).choices[0]?.logprobs.text_offset,
      ),
  );
  assert.deepEqual(offsets, [[0], [2]]);
});

test('embeddings print as the shortest numbers that read back to the same float32', () => {
  const rows = [
    [0.1, -1e-20, 3],
    [0.5, 1 / 3, -0],
  ];
  const embeddings = rows.map((row) => ({
    base64: Buffer.from(Float32Array.from(row).buffer).toString('base64'),
    tokens: 1,
  }));
  const joined = joinEmbeddings(embeddings, { first: 4, style: 'plain' });
  const text = `[${printEmbeddings(joined)}]`;
  assert.equal(text, '[[0.1,-1e-20,3],[0.5,0.33333334,-0.0]]');
  assert.deepEqual(
    (JSON.parse(text) as number[][]).map((row) => row.map(Math.fround)),
    rows.map((row) => row.map(Math.fround)),
  );
  const objects = JSON.parse(`[${printEmbeddings({ ...joined, style: 'openai' })}]`) as { index: number }[];
  assert.deepEqual(
    objects.map(({ index }) => index),
    [4, 5],
  );
  assert.equal(similarities(joined)[0]?.toFixed(4), '0.0500');
});

test('subtitles count hours, and no text can end a cue', () => {
  const segments = [
    { start: 0, end: 3661.0005, text: ' One --> two\n\nthree ' },
    { start: 3661.25, end: 3662, text: 'Four' },
  ];
  assert.equal(
    srt(segments),
    '1\n00:00:00,000 --> 01:01:01,001\nOne -> two\nthree\n\n2\n01:01:01,250 --> 01:01:02,000\nFour\n\n',
  );
  assert.equal(
    webVtt(segments),
    'WEBVTT\n\n00:00:00.000 --> 01:01:01.001\nOne -> two\nthree\n\n01:01:01.250 --> 01:01:02.000\nFour\n\n',
  );
});
