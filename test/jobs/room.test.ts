import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JobRoom } from '../../src/jobs/room.ts';

test('there is no room while the messages of the jobs held are large, however few they are', async () => {
  const room = new JobRoom(4);
  const place = room.enter(1);
  assert.equal(room.free, 3);
  const large = room.enter(256 * 1024 * 1024);
  assert.equal(room.free, 0);
  const freed = room.has(1);
  large.leave();
  await freed;
  assert.equal(room.free, 3);
  place.leave();
  assert.equal(room.free, 4);
});

test('a room may be cut to a part, and nothing more comes in until there is room in that', async () => {
  const room = new JobRoom(8);
  const places = Array.from({ length: 4 }, () => room.enter(1));
  room.limit(0.25);
  assert.equal(room.free, 0);
  const freed = room.has(4);
  for (const place of places) place.leave();
  await freed;
  assert.equal(room.free, 2);
  room.limit(1);
  assert.equal(room.free, 8);
});
