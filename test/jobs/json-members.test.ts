import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonMembers, jsonMembersInTurns } from '../../src/json-members.ts';

function membersOf(text: string): Record<string, unknown> | undefined {
  const bytes = Buffer.from(text);
  const members = jsonMembers(bytes);
  return (
    members &&
    Object.fromEntries(
      [...members].map(([name, { start, end }]) => [name, JSON.parse(bytes.toString('utf8', start, end)) as unknown]),
    )
  );
}

test('the members of any object are those that JSON.parse finds', () => {
  const indents = fc.constantFrom(undefined, 1, '\t');
  const key = fc.string({ unit: 'binary' }).filter((name) => name !== '__proto__');
  fc.assert(
    fc.property(fc.dictionary(key, fc.jsonValue()), indents, (object, indent) => {
      const text = JSON.stringify(object, undefined, indent);
      assert.deepEqual(membersOf(`  ${text} `), JSON.parse(text));
    }),
  );
});

test('brackets, quotes and escapes within strings end nothing', () => {
  const body = { a: ['}', ']', '\\', '"', '\\"}'], b: { c: '{"x":[' } };
  assert.deepEqual(membersOf(JSON.stringify({ body, z: 1 })), { body, z: 1 });
});

test('in turns, the members are the same, however long and wherever a turn ends', async () => {
  const long = { text: `${'\\"'.repeat(70_000)}\\`, list: [['a'.repeat(131_070), '"'], [{ b: ']' }]], last: 1 };
  const bytes = Buffer.from(JSON.stringify(long));
  const found = await jsonMembersInTurns(bytes);
  assert.deepEqual(found, jsonMembers(bytes));
  assert.deepEqual(membersOf(bytes.toString()), long);
  assert.equal(await jsonMembersInTurns(bytes.subarray(0, -2)), undefined);
});

test('of a repeated name the last value counts', () => {
  assert.deepEqual(membersOf('{"a":1,"a":2}'), { a: 2 });
});

test('an escaped name is the name that it spells', () => {
  assert.deepEqual(membersOf('{"\\u0062ody":{}}'), { body: {} });
});

test('what is no object, is cut off or goes on after its end has no members', () => {
  for (const text of [
    '',
    ' ',
    '[]',
    '1',
    '{',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{"a":"',
    '{"a":[1',
    '{a:1}',
  ])
    assert.equal(jsonMembers(Buffer.from(text)), undefined, text);
  for (const text of ['{} {}', '{"a":1}x', '{"a" 1}', '{"a":}', '{,}', '{"a":1 "b":2}'])
    assert.equal(jsonMembers(Buffer.from(text)), undefined, text);
  assert.equal(jsonMembers(Buffer.from('{}'))?.size, 0);
});
