import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandCosts } from '../../src/jobs/command-costs.ts';

test('a command costs more the longer it runs, most while its outputs are stored, and nothing when it has ended', () => {
  const costs = new CommandCosts<string>();
  costs.rise('inference');
  assert.equal(costs.total, 0);
  costs.begin('a');
  assert.equal(costs.total, 1);
  costs.rise('a');
  costs.rise('a');
  costs.begin('b');
  assert.equal(costs.total, 4);
  costs.tell('a', 'running');
  assert.equal(costs.total, 4);
  costs.tell('a', 'uploading');
  costs.rise('a');
  assert.equal(costs.total, Infinity);
  costs.end('a');
  assert.equal(costs.total, 1);
  costs.end('b');
  costs.tell('b', 'uploading');
  assert.equal(costs.total, 0);
});
