import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChatStream, encodeChat } from '../../../src/dialects/openai/chat-reply.ts';
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

const call = (id: string, given: string) => ({
  ...{ id, type: 'function' as const, function: { name: 'f', arguments: given } },
});
const calling = { text: '', finish_reason: 'tool_calls', prompt_tokens: 1, completion_tokens: 2 };

test('a chat tells calls of tools, or the only one in the older form', () => {
  const calls = [call('call_1', '{"a":1}'), call('call_2', '{}')];
  const told = (isLegacy: boolean) =>
    (
      encodeChat(head, [{ ...calling, tool_calls: calls }], { includeReasoning: true, isLegacy }) as {
        choices: unknown[];
      }
    ).choices[0];
  const message = { role: 'assistant', content: null, refusal: null };
  assert.deepEqual(told(false), {
    ...{ index: 0, message: { ...message, tool_calls: calls }, logprobs: null, finish_reason: 'tool_calls' },
  });
  assert.deepEqual(told(true), {
    ...{ index: 0, message: { ...message, function_call: calls[0]?.function } },
    ...{ logprobs: null, finish_reason: 'function_call' },
  });
});

test('a stream of a chat tells calls as they come', () => {
  const stream = (isLegacy: boolean) =>
    new ChatStream(head, { choices: 1, stream: true, usage: 'none', includeReasoning: true, isLegacy });
  const told = (lines: readonly string[]) =>
    lines.map((line) => {
      const [choice] = (JSON.parse(line) as { choices: { delta: unknown; finish_reason: unknown }[] }).choices;
      return choice?.finish_reason ?? choice?.delta;
    });
  const first = { index: 0, id: 'call_1', type: 'function' as const, function: { name: 'f', arguments: '{' } };
  const next = { index: 0, function: { arguments: '}' } };
  const pieces = [
    { text: '', tool_calls: [first] },
    { text: '', tool_calls: [next] },
    { text: '', token_ids: [5] },
  ];
  const newer = stream(false);
  const done = { ...calling, tool_calls: [call('call_1', '{}')] };
  assert.deepEqual(told([...pieces.flatMap((piece) => newer.piece(0, piece)), ...newer.done(0, done)]), [
    { role: 'assistant', content: null },
    { tool_calls: [first] },
    { tool_calls: [next] },
    'tool_calls',
  ]);
  const older = stream(true);
  assert.deepEqual(told([...pieces.flatMap((piece) => older.piece(0, piece)), ...older.done(0, done)]), [
    { role: 'assistant', content: null },
    { function_call: { name: 'f', arguments: '{' } },
    { function_call: { arguments: '}' } },
    'function_call',
  ]);
  assert.deepEqual(told(stream(false).done(0, done)), [
    { role: 'assistant', content: null },
    { tool_calls: [{ index: 0, ...call('call_1', '{}') }] },
    'tool_calls',
  ]);
});
