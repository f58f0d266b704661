import assert from 'node:assert/strict';
import test from 'node:test';
import { operationAt } from '../../../src/dialects/operation-table.ts';
import type { ItemsRequest } from '../../../src/dialects/shared/operation.ts';
import { chatRequest, CHAT_FIELDS } from '../../../web/play/forms/chat.ts';
import { playsOf } from '../../../web/play/plays.ts';
import { Base64Of, FormProblem, type Play, type PlayRequest, type Values } from '../../../web/play/types.ts';
import { initialValues } from '../../../web/play/values.ts';
import { modelOf, pickedFile, TASKS } from './models.ts';

/** What forms send is what the server reads. */

/** A form as it comes, with a file where one is asked for. */
function filled(play: Play): Values {
  const files = play.fields.flatMap((field) =>
    field.kind === 'file' ? [[field.name, [pickedFile('a.bin', `${field.of}/x`)]] as const] : [],
  );
  return { ...initialValues(play.fields), ...Object.fromEntries(files) };
}

/** The body as bytes, with the content type that a client sends along. */
async function sent({ body }: PlayRequest): Promise<{ bytes: Uint8Array; contentType: string }> {
  switch (body.kind) {
    case 'json': {
      const text = JSON.stringify(body.value, (_, one: unknown) => (one instanceof Base64Of ? 'AAAA' : one));
      return { bytes: Buffer.from(text), contentType: 'application/json' };
    }
    case 'file':
      return { bytes: Buffer.from('data'), contentType: body.file.type };
    case 'form': {
      const form = new FormData();
      for (const [name, value] of body.parts)
        if (typeof value === 'string') form.append(name, value);
        else form.append(name, new Blob(['data'], { type: value.type }), value.name);
      const request = new Request('http://x', { method: 'POST', body: form });
      return {
        bytes: new Uint8Array(await request.arrayBuffer()),
        contentType: request.headers.get('content-type') ?? '',
      };
    }
  }
}

/** Reads a request as the server does. */
async function read(request: PlayRequest, task: string): Promise<ItemsRequest<unknown>> {
  const operation = operationAt(request.path)?.operation;
  assert.ok(operation?.kind === 'items', request.path);
  const { bytes, contentType } = await sent(request);
  return operation.decode(bytes, { contentType, itemLimit: 100, task });
}

for (const [index, model] of TASKS.entries())
  test(`forms for ${model.task} (${index}) make requests that the server reads`, async () => {
    const plays = playsOf(model);
    assert.ok(plays.length > 1);
    for (const play of plays) {
      if (play.id === 'json') continue;
      const request = play.request(filled(play));
      const { items, model: named, ignored = [] } = await read(request, model.task);
      assert.ok(items.length > 0, play.id);
      assert.deepEqual(ignored, [], play.id);
      assert.ok(named === 'm' || request.path === '/predict/m');
    }
  });

test("a form begins with the model's example", () => {
  const [classify] = playsOf(modelOf('text-classification', { example: { data: 'Hallo', parameters: { top_k: 2 } } }));
  assert.deepEqual(classify?.request(initialValues(classify.fields)).body, {
    kind: 'json',
    value: { data: 'Hallo', parameters: { top_k: 2 } },
  });
  const [draw] = playsOf(modelOf('text-to-image', { example: { data: { prompt: 'a three' } } }));
  assert.deepEqual(draw?.request(initialValues(draw.fields)).body, {
    kind: 'json',
    value: { model: 'm', prompt: 'a three', n: 1 },
  });
});

test('parameters that people know have their usual names', () => {
  const fields = [...CHAT_FIELDS, ...TASKS.flatMap((model) => playsOf(model).flatMap((play) => play.fields))];
  const labels = { max_tokens: 'Max tokens', negative_prompt: 'Negative prompt' };
  for (const [name, label] of Object.entries(labels)) {
    const found = fields.filter((field) => field.name === name);
    assert.ok(found.length > 0, name);
    for (const field of found) assert.equal(field.label, label, name);
  }
});

test('a picture goes as it is, and as base64 in JSON where parameters go along', () => {
  const [play] = playsOf(modelOf('object-detection'));
  assert.ok(play);
  const file = pickedFile('street.png', 'image/png');
  assert.deepEqual(play.request({ image: [file], threshold: '' }), {
    path: '/predict/m',
    body: { kind: 'file', file },
  });
  assert.deepEqual(play.request({ image: [file], threshold: '0.9' }).body, {
    kind: 'json',
    value: { data: new Base64Of(file), parameters: { threshold: 0.9 } },
  });
});

test('tensors are filled with the example by name, and with zeros where there is none', () => {
  const inputs = [
    { name: 'a', datatype: 'FP32', shape: [-1, 2], batch_axis: 0 },
    { name: 'sr', datatype: 'INT64', shape: [], batch_axis: null },
  ];
  const itemOf = (more: object): unknown => {
    const [play] = playsOf(modelOf('tensors', { inputs, ...more }));
    assert.ok(play?.id === 'tensors');
    const { body } = play.request(initialValues(play.fields));
    return body.kind === 'json' ? (body.value as { data: unknown }).data : undefined;
  };
  assert.deepEqual(itemOf({ example: { data: { a: [1, 2], sr: 16000 } } }), { a: [1, 2], sr: 16000 });
  assert.deepEqual(itemOf({}), { a: [0, 0], sr: 0 });
});

test('a model that is not loaded, or of a task unknown here, has its example in JSON', () => {
  for (const model of [
    modelOf('tensors', { loaded: false, example: { data: 3 } }),
    modelOf('./task.js', { example: { data: 3 } }),
  ]) {
    const [play, ...others] = playsOf(model);
    assert.equal(others.length, 0);
    assert.deepEqual(play?.request(initialValues(play.fields)).body, { kind: 'json', value: { data: 3 } });
  }
});

test('what is missing or wrong is told beside its field', () => {
  const problemOf = (play: Play | undefined, values: Values): string => {
    try {
      play?.request({ ...initialValues(play.fields), ...values });
    } catch (error) {
      if (error instanceof FormProblem) return `${error.field}: ${error.message}`;
      throw error;
    }
    return '';
  };
  const first = (task: string): Play | undefined => playsOf(modelOf(task))[0];
  assert.equal(problemOf(first('image-classification'), {}), 'image: Choose a picture first.');
  assert.equal(problemOf(first('text-classification'), { text: ' ' }), 'text: The text is missing.');
  assert.equal(problemOf(first('embeddings'), { texts: ['', ' '] }), 'texts: At least one text is needed.');
  assert.match(problemOf(playsOf(modelOf('x'))[0], { body: '{"data":' }), /^body: This is not JSON: /);
});

test('a chat sends its conversation with what is set', async () => {
  const values = {
    ...initialValues(CHAT_FIELDS),
    system: 'Be brief.',
    temperature: '0',
    schema: '{"type":"object"}',
    think: false,
  };
  const calls = [{ id: 'c1', name: 'look', arguments: '{}' }];
  const answer = {
    role: 'assistant',
    content: '',
    reasoning: 'Hm',
    calls,
    finish: 'tool_calls',
    promptTokens: 1,
    tokens: 2,
    pieces: 2,
  } as const;
  const turns = [
    { role: 'user', content: 'Hi' } as const,
    answer,
    { role: 'tool', content: '7', callId: 'c1' } as const,
  ];
  const request = chatRequest(modelOf('chat'), turns, values);
  assert.deepEqual(request.body.kind === 'json' && request.body.value, {
    model: 'm',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
      {
        role: 'assistant',
        content: null,
        reasoning_content: 'Hm',
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'look', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'c1', content: '7' },
    ],
    temperature: 0,
    max_tokens: 512,
    response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: { type: 'object' } } },
    reasoning_effort: 'none',
    stream: true,
  });
  assert.deepEqual((await read(request, 'chat')).ignored, []);
});

/** The values that a field of a form offers, and the one that it begins with. */
function offered(play: Play | undefined, name: string): readonly [values: readonly string[], first: unknown] {
  const field = play?.fields.find((one) => one.name === name);
  assert.ok(field?.kind === 'choice', name);
  return [field.choices.map(({ value }) => value), field.value];
}

test('voices, formats and languages are chosen among those of the model, once they are known', () => {
  const [speak] = playsOf(
    modelOf('text-to-speech', { voices: ['amy', 'bob'], formats: ['mp3', 'opus', 'wav', 'pcm'] }),
  );
  assert.deepEqual(offered(speak, 'voice'), [['', 'amy', 'bob'], '']);
  assert.deepEqual(offered(speak, 'response_format'), [['wav', 'mp3', 'opus'], 'wav']);
  const request = speak?.request({ ...initialValues(speak.fields), response_format: 'opus' });
  assert.equal(request?.answerFile, 'speech.ogg');
  assert.deepEqual(offered(playsOf(modelOf('text-to-speech', { loaded: false }))[0], 'response_format')[0], ['wav']);

  const languages = ['ace_Arab', 'deu_Latn', 'eng_Latn'];
  const [translate] = playsOf(modelOf('translation', { languages }));
  assert.deepEqual(offered(translate, 'src_lang'), [['', ...languages], 'eng_Latn']);
  assert.deepEqual(offered(translate, 'tgt_lang'), [['', ...languages], 'deu_Latn']);
  // A summary names no language unless somebody wants it.
  assert.equal(offered(playsOf(modelOf('summarization', { languages }))[0], 'tgt_lang')[1], '');
  assert.ok(
    playsOf(modelOf('translation'))[0]?.fields.some(({ name, kind }) => name === 'tgt_lang' && kind === 'text'),
  );
});

test("the mask of a form is that of the model's tokenizer", () => {
  const textFor = (more: object): unknown =>
    initialValues(playsOf(modelOf('fill-mask', more))[0]?.fields ?? [])['text'];
  assert.equal(textFor({ mask: '<mask>' }), 'The capital of France is <mask>.');
  assert.equal(textFor({}), 'The capital of France is [MASK].');
});
