import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeNative, type NativeForm } from '../../../src/dialects/native/reply.ts';
import type { ItemResult } from '../../../src/dialects/shared/results.ts';
import { ServerError } from '../../../src/errors.ts';

const PNG = Uint8Array.of(1, 2, 3);
const IMAGE: ItemResult = { ok: true, reply: { contentType: 'image/png', bytes: PNG } };
const LONG: ItemResult = { ok: true, reply: { json: [1, 2] } };

function given(json: unknown): ItemResult {
  return { ok: true, reply: { json } };
}
function failed(error: ServerError): ItemResult {
  return { ok: false, error };
}
interface Asked extends Partial<NativeForm> {
  readonly accept?: string | undefined;
}
function encode(results: ItemResult[], { accept, ...form }: Asked = {}): { type: string; body: Buffer } {
  const answer = encodeNative(results, { kind: 'single', raw: false, ...form }, { accept });
  return { type: answer.contentType, body: Buffer.concat(answer.chunks) };
}
function textOf(results: ItemResult[], form: Asked = {}): string {
  const { type, body } = encode(results, form);
  assert.equal(type, 'application/json');
  return body.toString();
}

test('one reply is a result', () => {
  assert.equal(textOf([given(9)]), '{"result":9}');
  assert.equal(textOf([given(null)]), '{"result":null}');
  assert.equal(textOf([LONG]), '{"result":[1,2]}');
  assert.equal(textOf([IMAGE]), '{"result":"AQID"}');
});

test('many replies stand in order, each with its own error', () => {
  const results = [given([1]), failed(new ServerError('INVALID_INPUT', 'bad "one"')), LONG, IMAGE];
  assert.equal(
    textOf(results, { kind: 'many' }),
    '{"results":[{"result":[1]},{"error":"bad \\"one\\"","code":"INVALID_INPUT"},{"result":[1,2]},{"result":"AQID"}]}',
  );
  assert.equal(textOf([given(1)], { kind: 'many' }), '{"results":[{"result":1}]}');
});

test('bytes go out raw or as base64, as Accept prefers and else as the request came', () => {
  const cases: [accept: string | undefined, raw: boolean, type: string][] = [
    [undefined, false, 'application/json'],
    [undefined, true, 'image/png'],
    ['*/*', false, 'application/json'],
    ['*/*', true, 'image/png'],
    ['image/png', false, 'image/png'],
    ['image/*', false, 'image/png'],
    ['IMAGE/PNG', false, 'image/png'],
    ['application/json', true, 'application/json'],
    ['application/json, image/png;q=0.9', true, 'application/json'],
    ['application/json;q=0.5, image/*;q=0.8', false, 'image/png'],
    ['image/png;q=0, */*', true, 'application/json'],
    ['application/json, text/plain, */*', true, 'application/json'],
    ['text/html', true, 'image/png'],
    ['text/html', false, 'application/json'],
    [';;q=,/', true, 'image/png'],
  ];
  for (const [accept, raw, type] of cases) {
    const answer = encode([IMAGE], { accept, raw });
    assert.equal(answer.type, type, `${String(accept)}, raw ${raw}`);
    assert.equal(answer.body.equals(type === 'image/png' ? PNG : Buffer.from('{"result":"AQID"}')), true);
  }
  assert.equal(encode([given(1)], { accept: 'image/png', raw: true }).type, 'application/json');
});

test('one failed item is the refusal of its request', () => {
  const error = new ServerError('INVALID_INPUT', 'no');
  assert.throws(
    () => encode([failed(error)]),
    (thrown) => thrown === error,
  );
});

test('a request whose items all failed for a passing reason is refused as a whole, with the longest wait', () => {
  const full = (retryAfterMs: number): ItemResult => failed(new ServerError('QUEUE_FULL', 'full', { retryAfterMs }));
  assert.throws(
    () => encode([full(20), full(1200.5), full(30)], { kind: 'many' }),
    (thrown) => thrown instanceof ServerError && thrown.retryAfterMs === 1200.5,
  );
  const bad = failed(new ServerError('INVALID_INPUT', 'no'));
  for (const results of [
    [full(1), given(1)],
    [full(1), bad],
    [bad, bad],
  ])
    assert.match(textOf(results, { kind: 'many' }), /^\{"results":\[/);
});
