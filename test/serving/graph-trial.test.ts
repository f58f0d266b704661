import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleItem } from '../../src/serving/graph-trial.ts';
import { pathOf } from '../tasks/support.ts';

test('an example is an item as a client would send it', async () => {
  assert.equal(await exampleItem({}), undefined);
  assert.deepEqual(await exampleItem({ example: { data: 3, parameters: { top: 1 } } }), {
    kind: 'json',
    value: 3,
    parameters: { top: 1 },
  });
  const file = pathOf('models/super-resolution/example.png');
  const item = await exampleItem({ example: { file, contentType: 'image/png' } });
  assert.ok(item?.kind === 'raw' && item.contentType === 'image/png');
  // Its buffer is its own, because it will be given away.
  assert.equal(item.bytes.byteLength, item.bytes.buffer.byteLength);
});
