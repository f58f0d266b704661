import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gathered } from '../../../src/jobs/sqs/gathered.ts';

function rig(failed: readonly string[] = []) {
  const requests: string[][] = [];
  const gathered = new Gathered<{ readonly name: string }>((entries) => {
    requests.push(entries.map(({ name }) => name));
    const Failed = entries.filter(({ name }) => failed.includes(name));
    return Promise.resolve({ Failed: Failed.map(({ Id }) => ({ Id, Code: 'Bad', SenderFault: true })) });
  });
  return { requests, gathered };
}

test('what is asked for in one turn is one request, of ten at most', async () => {
  const { requests, gathered } = rig();
  await Promise.all(Array.from({ length: 12 }, (_, index) => gathered.add({ name: `${index}` })));
  assert.deepEqual(
    requests.map(({ length }) => length),
    [10, 2],
  );
  await gathered.add({ name: 'later' });
  assert.deepEqual(requests[2], ['later']);
});

test('messages that are too large together go apart, in their order', async () => {
  const { requests, gathered } = rig();
  const sizes = [100_000, 150_000, 20_000, 1_000_000, 5];
  await Promise.all(sizes.map((bytes, index) => gathered.add({ name: `${index}` }, bytes)));
  assert.deepEqual(requests, [['0', '1'], ['2'], ['3'], ['4']]);
});

test('an entry that fails does so alone, with the code as its name; a request that fails, all of it', async () => {
  const { gathered } = rig(['b']);
  const [a, b] = await Promise.allSettled([gathered.add({ name: 'a' }), gathered.add({ name: 'b' })]);
  assert.equal(a.status, 'fulfilled');
  assert.ok(b.status === 'rejected' && (b.reason as Error).name === 'Bad');
  const down = new Gathered<object>(() => Promise.reject(new Error('down')));
  const ends = await Promise.allSettled([down.add({}), down.add({})]);
  assert.deepEqual(
    ends.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
});
