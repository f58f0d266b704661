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
