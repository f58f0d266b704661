import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTraceparent, requestId } from '../../src/http/trace.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

test('a traceparent gives its trace and parent, and a span of our own', () => {
  const trace = readTraceparent(`00-${TRACE}-${PARENT}-01`);
  assert.deepEqual([trace?.traceId, trace?.parentId], [TRACE, PARENT]);
  assert.match(trace?.spanId ?? '', /^[0-9a-f]{16}$/);
  assert.notEqual(trace?.spanId, readTraceparent(`00-${TRACE}-${PARENT}-01`)?.spanId);
});

test('a later version may have more after the flags', () => {
  assert.equal(readTraceparent(`01-${TRACE}-${PARENT}-00-what-comes`)?.traceId, TRACE);
  assert.equal(readTraceparent(`cc-${TRACE}-${PARENT}-00`)?.traceId, TRACE);
});

for (const [what, header] of [
  ['nothing', undefined],
  ['an empty text', ''],
  ['version ff', `ff-${TRACE}-${PARENT}-01`],
  ['more after the flags of version 00', `00-${TRACE}-${PARENT}-01-more`],
  ['a trace of zeros', `00-${'0'.repeat(32)}-${PARENT}-01`],
  ['a parent of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['upper case', `00-${TRACE.toUpperCase()}-${PARENT}-01`],
  ['a short trace', `00-${TRACE.slice(1)}-${PARENT}-01`],
  ['text around it', ` 00-${TRACE}-${PARENT}-01`],
  ['flags run on', `01-${TRACE}-${PARENT}-0101`],
  ['no hexadecimal', `00-${'z'.repeat(32)}-${PARENT}-01`],
] as const)
  test(`is as if there were no traceparent: ${what}`, () => assert.equal(readTraceparent(header), undefined));

test("the client's request id is kept where it is fit for headers and logs", () => {
  for (const id of ['a', 'order-66', 'A.b:c@d/e+f=g_h', 'x'.repeat(128)]) assert.equal(requestId(id), id);
  for (const id of [undefined, '', 'x'.repeat(129), 'two words', 'a\nb', 'é', '"', '<b>', 'a;b'])
    assert.match(requestId(id), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.notEqual(requestId(undefined), requestId(undefined));
});
