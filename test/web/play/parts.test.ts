import assert from 'node:assert/strict';
import test from 'node:test';
import { fromBase64, toBase64 } from '../../../web/play/base64.ts';
import {
  NO_ANSWER,
  openCalls,
  StreamFailure,
  tokensPerSecond,
  withEvent,
  type Turn,
} from '../../../web/play/chat-turns.ts';
import { withTranscriptEvent } from '../../../web/play/forms/speech.ts';
import { showJson } from '../../../web/play/json-shape.ts';
import { ctcText, flatten, nest, shapeOf, topOf } from '../../../web/play/nested.ts';
import { pictureItemShape, pictureShapeOf, pixelNumbers, sizeFor } from '../../../web/play/pixels.ts';
import { readRefusal } from '../../../web/play/refusals.ts';
import { EventReader, isLastEvent } from '../../../web/play/sse.ts';
import { freeName, madeFile, madeFilesOf } from '../../../web/play/made-files.ts';
import { mediaProblem } from '../../../web/play/media-problem.ts';
import { stateOf, stateWords } from '../../../web/play/model-state.ts';
import { Base64Of } from '../../../web/play/types.ts';
import { parseServerTiming, timeParts } from '../../../web/play/timings.ts';

/** Parts of the playground that need no page. */

test('events are read however they are cut', () => {
  const text = 'data: {"a":1}\n\n: a comment\r\n\r\ndata: two\ndata:  lines\n\nevent: x\ndata\n\n';
  const expected = ['{"a":1}', 'two\n lines'];
  for (let cut = 0; cut <= text.length; cut += 1) {
    const reader = new EventReader();
    assert.deepEqual([...reader.read(text.slice(0, cut)), ...reader.read(text.slice(cut))], expected, `cut at ${cut}`);
  }
});

test('the last event of a stream is known, so that one that broke off is not taken for an answer', () => {
  assert.equal(isLastEvent('[DONE]'), true);
  assert.equal(isLastEvent(JSON.stringify({ type: 'transcript.text.done', text: 'Hi' })), true);
  assert.equal(isLastEvent(JSON.stringify({ type: 'transcript.text.delta', delta: '[DONE]' })), false);
});

test('files that the page made are told from those of a disk, and have names of their own', () => {
  const own = new File(['a'], 'recording.webm', { type: 'audio/webm' });
  const first = madeFile(own, []);
  const second = madeFile(own, [first]);
  assert.deepEqual([first.name, second.name, second.type], ['recording.webm', 'recording-2.webm', 'audio/webm']);
  assert.equal(freeName('a', [{ name: 'a', type: '', size: 0 }]), 'a-2');
  const input = [{ audio: new Base64Of(first) }, { audio: new Base64Of(own) }, { text: 'x' }];
  assert.deepEqual(madeFilesOf({ kind: 'json', value: { input } }), [first]);
  assert.deepEqual(madeFilesOf({ kind: 'file', file: second }), [second]);
  assert.deepEqual(
    madeFilesOf({
      kind: 'form',
      parts: [
        ['model', 'm'],
        ['file', own],
      ],
    }),
    [],
  );
});

test('why there is no microphone is told in words', () => {
  const failed = (name: string): string => mediaProblem('microphone', Object.assign(new Error('No.'), { name }));
  assert.match(failed('NotAllowedError'), /not allowed to use the microphone/);
  assert.equal(failed('NotFoundError'), 'No microphone was found.');
  assert.equal(failed('AbortError'), 'The microphone cannot be used: No.');
});

test('a model is as its best version is', () => {
  const row = { name: 'm', version: '1', reason: 'no such file' } as const;
  const rows = [
    { ...row, state: 'unavailable' },
    { ...row, version: '2', state: 'ready', reason: '', description: 'Mine' },
  ] as const;
  assert.deepEqual(stateOf(rows, 'm'), { state: 'ready', reason: '', description: 'Mine' });
  assert.equal(stateOf(rows, 'n'), undefined);
  assert.equal(stateWords({ state: 'unavailable', reason: 'no such file', description: undefined }), 'no such file');
  assert.equal(stateWords({ state: 'asleep', reason: '', description: undefined }), 'loaded by the first request');
});

test('an answer grows by its events: text, thoughts, calls and counts', () => {
  const delta = (one: object, more: object = {}): string =>
    JSON.stringify({ choices: [{ index: 0, delta: one, ...more }] });
  const events = [
    delta({ role: 'assistant', content: '' }),
    delta({ reasoning_content: 'Hm. ' }),
    delta({ content: 'Hel' }),
    delta({ content: 'lo' }),
    delta({ tool_calls: [{ index: 0, id: 'c1', function: { name: 'look', arguments: '' } }] }),
    delta({ tool_calls: [{ index: 0, function: { arguments: '{"a":' } }] }),
    delta({
      tool_calls: [
        { index: 0, function: { arguments: '1}' } },
        { index: 1, id: 'c2', function: { name: 'b', arguments: '{}' } },
      ],
    }),
    JSON.stringify({
      choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }],
      usage: { prompt_tokens: 5, completion_tokens: 11 },
    }),
    '[DONE]',
  ];
  const answer = events.reduce(withEvent, NO_ANSWER);
  assert.deepEqual(answer, {
    content: 'Hello',
    reasoning: 'Hm. ',
    calls: [
      { id: 'c1', name: 'look', arguments: '{"a":1}' },
      { id: 'c2', name: 'b', arguments: '{}' },
    ],
    finish: 'tool_calls',
    promptTokens: 5,
    tokens: 11,
    pieces: 6,
  });
  assert.equal(tokensPerSecond(answer, 2000), 5);
  assert.equal(tokensPerSecond(NO_ANSWER, 0), undefined);
  assert.equal(withEvent(NO_ANSWER, JSON.stringify({ choices: [{ text: 'once' }] })).content, 'once');
});

test('an error among events is told in its words', () => {
  for (const error of [{ message: 'The run failed.' }, 'The run failed.'])
    assert.throws(() => withEvent(NO_ANSWER, JSON.stringify({ error })), new StreamFailure('The run failed.'));
  assert.throws(() => withTranscriptEvent('', JSON.stringify({ error: { message: 'No.' } })), new Error('No.'));
});

test('a transcript grows by its events, and its last one is the whole', () => {
  const events = [
    { type: 'transcript.text.delta', delta: ' And' },
    { type: 'other' },
    { type: 'transcript.text.done', text: 'And so' },
  ];
  assert.deepEqual(events.map((event) => JSON.stringify(event)).reduce(withTranscriptEvent, ''), 'And so');
});

test('calls are open until they have a result', () => {
  const calls = [
    { id: 'a', name: 'x', arguments: '' },
    { id: 'b', name: 'y', arguments: '' },
  ];
  const turns: Turn[] = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', ...NO_ANSWER, calls },
    { role: 'tool', content: '1', callId: 'a' },
  ];
  assert.deepEqual(
    openCalls(turns).map(({ id }) => id),
    ['b'],
  );
  assert.deepEqual(openCalls([]), []);
});

test('the parts of a time add up to what was measured', () => {
  const header = 'prepare;dur=1.5, queue;dur=2, batch;dur=0.5, run;dur=10, finish;dur=1, total;dur=20';
  const parts = timeParts(header, 25);
  assert.deepEqual(
    parts.map(({ name, ms }) => [name, ms]),
    [
      ['decode', 5],
      ['prepare', 1.5],
      ['queue', 2],
      ['batch', 0.5],
      ['run', 10],
      ['finish', 1],
      ['network', 5],
    ],
  );
  assert.deepEqual(
    timeParts(null, 7).map(({ name, ms }) => [name, ms]),
    [['request', 7]],
  );
  assert.deepEqual([...parseServerTiming('cache;desc="a", run ;DUR="3"')], [['run', 3]]);
});

test('refusals keep the words of the server, in each shape', () => {
  const read = (body: unknown, retryAfter: string | null = null): unknown =>
    readRefusal(429, JSON.stringify(body), retryAfter);
  const expected = { status: 429, message: 'Full.', code: 'QUEUE_FULL', retryAfterMs: undefined };
  assert.deepEqual(read({ error: 'Full.', code: 'QUEUE_FULL', retryAfterMs: 1584 }, '2'), {
    ...expected,
    retryAfterMs: 1584,
  });
  assert.deepEqual(read({ error: { message: 'Full.', code: 'QUEUE_FULL', type: 'x' } }, '2'), {
    ...expected,
    retryAfterMs: 2000,
  });
  assert.deepEqual(read({ message: 'Full.', code: 'QUEUE_FULL' }), expected);
  assert.deepEqual(readRefusal(502, '<html><h1>Bad Gateway</h1></html>', null), {
    status: 502,
    message: 'Bad Gateway',
    code: '',
    retryAfterMs: undefined,
  });
  assert.equal(readRefusal(504, '', null).message, 'The server answered with status 504.');
});

test('nested numbers and their shapes', () => {
  const value = [
    [1, 2, null],
    [4, '9007199254740993', true],
  ];
  assert.deepEqual(shapeOf(value), [2, 3]);
  assert.deepEqual(flatten(value), [1, 2, Number.NaN, 4, 9007199254740993, 1]);
  assert.deepEqual(nest([1, 2, 3, 4], [2, 2]), [
    [1, 2],
    [3, 4],
  ]);
  assert.equal(nest([5], []), 5);
  assert.deepEqual(
    topOf([1, Number.NaN, 3], 5).map(({ index }) => index),
    [2, 0],
  );
});

test('rows of scores are read as a text where they fit the labels', () => {
  const row = (best: number): number[] => Array.from({ length: 4 }, (_, index) => (index === best ? 1 : 0));
  assert.equal(ctcText([1, 1, 0, 1, 2, 3, 1].map(row), ['a', 'b']), 'aab a');
  assert.equal(ctcText([row(1)], ['a', 'b', 'c', 'd', 'e']), undefined);
});

test('pictures become numbers in the order of the tensor', () => {
  const rgba = Uint8ClampedArray.of(255, 0, 0, 255, 0, 0, 0, 0);
  const plain = { range: '0 to 255', isInverted: false, isWhole: true } as const;
  assert.deepEqual(pixelNumbers(rgba, { layout: 'chw', channels: 3 }, plain), [255, 255, 0, 255, 0, 255]);
  assert.deepEqual(pixelNumbers(rgba, { layout: 'hwc', channels: 3 }, plain), [255, 0, 0, 255, 255, 255]);
  assert.deepEqual(pixelNumbers(rgba, { layout: 'hw', channels: 1 }, plain), [76, 255]);
  assert.deepEqual(
    pixelNumbers(rgba, { layout: 'hw', channels: 1 }, { range: '-1 to 1', isInverted: true, isWhole: false }),
    [0.402, -1],
  );
});

test('shapes of pictures are told from others, and free axes keep the proportions', () => {
  const line = pictureShapeOf('FP32', [3, 48, -1]);
  assert.deepEqual(line, { layout: 'chw', channels: 3, height: 48, width: undefined });
  assert.ok(line);
  assert.deepEqual(sizeFor(line, { width: 200, height: 100 }), { width: 96, height: 48 });
  assert.deepEqual(pictureItemShape(line, { width: 96, height: 48 }), [3, 48, 96]);
  assert.deepEqual(pictureShapeOf('UINT8', [-1, -1, 3]), {
    layout: 'hwc',
    channels: 3,
    height: undefined,
    width: undefined,
  });
  assert.deepEqual(pictureShapeOf('FP32', [28, 28]), { layout: 'hw', channels: 1, height: 28, width: 28 });
  for (const [type, shape] of [
    ['FP32', [576]],
    ['FP32', [2, 128]],
    ['INT64', [3, 48, 48]],
    ['FP32', []],
  ] as const)
    assert.equal(pictureShapeOf(type, shape), undefined);
});

test('base64 goes both ways, also for many bytes', () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
  assert.equal(toBase64(bytes), Buffer.from(bytes).toString('base64'));
  assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
});

test('JSON to read keeps plain lists in filled lines, and is the same JSON', () => {
  assert.equal(
    showJson({ data: [[1, 2], [], ['a', null]] }),
    '{\n  "data": [\n    [1, 2],\n    [],\n    ["a", null]\n  ]\n}',
  );
  const value = { input: Array.from({ length: 576 }, (_, index) => index / 100), sr: 16000, more: { a: {}, b: [{}] } };
  const text = showJson(value);
  assert.deepEqual(JSON.parse(text), value);
  assert.ok(text.split('\n').length < 50 && text.split('\n').every((line) => line.length < 120));
});
