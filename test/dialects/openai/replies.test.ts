import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeChat } from '../../../src/dialects/openai/chat-reply.ts';
import { CompletionsStream, encodeCompletions } from '../../../src/dialects/openai/completions-reply.ts';
import { numbersText, similarities } from '../../../src/dialects/shared/embedding-text.ts';
import { srt, webVtt } from '../../../src/dialects/openai/transcript.ts';

const head = { id: 'r', model: 'm', version: '1', created: 1 };
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
  const { choices } = encodeChat(head, [generation], { includeReasoning: true }) as {
    choices: { logprobs: unknown; finish_reason: string }[];
  };
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
    top_logprobs: [null, { llo: -0.5, y: -1 }],
    text_offset: [0, 2],
  });
  const stream = new CompletionsStream(head, { choices: 1, count: 1, isList: false, stream: true, usage: 'finish' });
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

test('an echoed prompt has its log probabilities before those of the answer, the first of them null', () => {
  const echoed = {
    ...generation,
    text: 'So Héllo',
    echo_length: 3,
    prompt_logprobs: [
      { ...token('So', 7, null), top_logprobs: [] },
      { ...token(' ', 8, -2), top_logprobs: [token('x', 9, -0.1)] },
    ],
    logprobs: logprobs.map((one) => ({ ...one, logprob: one.logprob ?? -3 })),
  };
  const { choices } = encodeCompletions(head, [echoed], { choices: 1 }) as { choices: { logprobs: unknown }[] };
  assert.deepEqual(choices[0]?.logprobs, {
    tokens: ['So', ' ', 'Hé', 'llo'],
    token_logprobs: [null, -2, -3, -0.5],
    top_logprobs: [null, { x: -0.1, ' ': -2 }, { Hé: -3 }, { llo: -0.5, y: -1 }],
    text_offset: [0, 2, 3, 5],
  });
  const stream = new CompletionsStream(head, { choices: 1, count: 1, isList: false, stream: true, usage: 'finish' });
  const [chunk = ''] = stream.done(0, echoed);
  const [whole] = (JSON.parse(chunk) as { choices: { text: string; logprobs: unknown }[] }).choices;
  assert.deepEqual([whole?.text, whole?.logprobs], ['So Héllo', choices[0].logprobs]);
});

test('parts of a character are told by their bytes, and offsets count characters', () => {
  const part = (id: number, ...bytes: number[]) => ({
    ...{ token: '\ufffd', id, logprob: -1, bytes },
    top_logprobs: [{ token: '\ufffd', id: id + 1, logprob: -2, bytes: [0x9f] }],
  });
  const emoji = [part(1, 0xf0, 0x9f), part(2, 0x98), part(3, 0x80), { ...token('b', 4, -1), top_logprobs: [] }];
  const parts = { ...generation, text: '😀b', logprobs: emoji };
  const { choices } = encodeCompletions(head, [parts], { choices: 1 }) as {
    choices: { logprobs: { tokens: string[]; text_offset: number[]; top_logprobs: unknown[] } }[];
  };
  assert.deepEqual(choices[0]?.logprobs.tokens, ['bytes:\\xf0\\x9f', 'bytes:\\x98', 'bytes:\\x80', 'b']);
  assert.deepEqual(choices[0].logprobs.text_offset, [0, 0, 0, 1]);
  assert.deepEqual(choices[0].logprobs.top_logprobs[1], { 'bytes:\\x9f': -2, 'bytes:\\x98': -1 });
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
  const text = `[${embeddings.map(numbersText).join(',')}]`;
  assert.equal(text, '[[0.1,-1e-20,3],[0.5,0.33333334,-0.0]]');
  assert.deepEqual(
    (JSON.parse(text) as number[][]).map((row) => row.map(Math.fround)),
    rows.map((row) => row.map(Math.fround)),
  );
  const [one, ...others] = embeddings;
  assert.ok(one !== undefined);
  assert.equal(similarities(one, others)[0]?.toFixed(4), '0.0500');
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
