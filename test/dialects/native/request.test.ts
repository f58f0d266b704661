import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodePredict } from '../../../src/dialects/native/request.ts';
import { ServerError, type ErrorCode } from '../../../src/errors.ts';

function decode(body: string | Uint8Array, contentType: string | null = 'application/json', itemLimit = 4) {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const { items, options } = decodePredict(bytes, { contentType: contentType ?? undefined, itemLimit });
  return { kind: options.kind, items };
}

function refused(code: ErrorCode, message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof ServerError && error.code === code && message.test(error.message);
}

test('data is one item, items are many, and parameters belong to all of them', () => {
  assert.deepEqual(decode('{"data":3}'), { kind: 'single', items: [{ kind: 'json', value: 3 }] });
  assert.deepEqual(decode('{"data":null}'), { kind: 'single', items: [{ kind: 'json', value: null }] });
  assert.deepEqual(decode('{"items":["a",["b"]],"parameters":{"top_k":1}}'), {
    kind: 'many',
    items: [
      { kind: 'json', value: 'a', parameters: { top_k: 1 } },
      { kind: 'json', value: ['b'], parameters: { top_k: 1 } },
    ],
  });
  assert.deepEqual(decode('{"data":1,"parameters":null}').items, [{ kind: 'json', value: 1 }]);
});

test('JSON is known by its type, by the suffix +json, or by the lack of a type', () => {
  for (const type of ['application/json', 'Application/JSON; charset=utf-8', 'application/vnd.own+json', ''])
    assert.equal(decode('{"data":3}', type).items[0]?.kind, 'json', type);
  assert.equal(decode('\ufeff{"data":3}', null).items[0]?.kind, 'json');
});

test('any other type is a raw item, its type in lower case without parameters', () => {
  const bytes = Uint8Array.of(1, 2);
  assert.deepEqual(decode(bytes, 'Image/PNG; a=b'), {
    kind: 'single',
    items: [{ kind: 'raw', contentType: 'image/png', bytes }],
  });
  for (const charset of [
    'utf-8',
    '"UTF-8"',
    'us-ascii',
    'utf-8; charset=latin1',
    '"utf-\\8"; title="a; charset=latin1"',
  ])
    assert.equal(decode(bytes, `text/plain; charset=${charset}`).items[0]?.kind, 'raw');
  assert.throws(() => decode(bytes, 'text/plain; charset=iso-8859-1'), refused('UNSUPPORTED_MEDIA_TYPE', /UTF-8/));
});

test('the refusal of a malformed request says what is wrong with it', () => {
  const cases: [string | Uint8Array, RegExp][] = [
    ['', /not valid JSON/],
    ['{"data":', /not valid JSON/],
    ['{"data":NaN}', /not valid JSON/],
    [Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d), /not valid UTF-8/],
    ['3', /must be an object/],
    ['null', /must be an object/],
    ['[{"data":3}]', /must be an object/],
    ['{}', /Invalid data value/],
    ['{"data":1,"items":[1]}', /Invalid data value/],
    ['{"data":1,"parameter":{}}', /Unknown field "parameter".* Did you mean "parameters"\?$/],
    ['{"item":[1]}', /Unknown field "item".* Did you mean "items"\?$/],
    ['{"inputs":[1],"data":1}', /"parameters"\.$/],
    ['{"data":1,"__proto__":{"items":[]}}', /Unknown field/],
    ['{"data":1,"parameters":[]}', /"parameters" must be an object/],
    ['{"data":1,"parameters":"x"}', /"parameters" must be an object/],
    ['{"items":[]}', /at least one item/],
    ['{"items":{"0":1,"length":1}}', /must be an array/],
    [`{"data":${'['.repeat(65)}${']'.repeat(65)}}`, /nested 64 deep/],
    ['['.repeat(1_000_000), /not valid JSON/],
    [`{"data":${'[{"a":'.repeat(200_000)}1${'}]'.repeat(200_000)}}`, /nested 64 deep|not valid JSON/],
  ];
  for (const [body, message] of cases)
    assert.throws(() => decode(body), refused('BAD_REQUEST', message), String(body).slice(0, 60));
  assert.equal(decode(`{"data":${'['.repeat(60)}${']'.repeat(60)}}`).kind, 'single');
});

test('a body without a type that is not JSON is refused with a hint to send its type', () => {
  const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47);
  for (const type of [null, '', 'application/x-www-form-urlencoded'])
    for (const body of [png, 'Wo ist der Bahnhof?'])
      assert.throws(() => decode(body, type), refused('BAD_REQUEST', /not valid JSON: .*Content-Type/));
  for (const [body, type] of [
    ['{"data":', null],
    [' [1', null],
    ['', null],
    [png, 'application/json'],
  ] as const)
    assert.throws(() => decode(body, type), refused('BAD_REQUEST', /not valid JSON: (?!.*Content-Type)/));
});

test('more items than the limit are refused', () => {
  assert.equal(decode('{"items":[1,2,3,4]}').items.length, 4);
  assert.throws(() => decode('{"items":[1,2,3,4,5]}'), refused('TOO_LARGE', /4 items at most, not 5/));
});
