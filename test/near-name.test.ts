import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearName } from '../src/near-name.ts';

const KNOWN = new Set([
  'model',
  'n',
  'stop',
  'seed',
  'top_p',
  'top_k',
  'max_tokens',
  'temperature',
  'input',
  'dimensions',
]);

test('a slip is a letter or two from a known name, or the same name spelt otherwise', () => {
  for (const [name, known] of [
    ['max_token', 'max_tokens'],
    ['maxTokens', 'max_tokens'],
    ['max-tokens', 'max_tokens'],
    ['temprature', 'temperature'],
    ['tempreature', 'temperature'],
    ['Seed', 'seed'],
    ['sotp', 'stop'],
    ['topP', 'top_p'],
    ['inputs', 'input'],
    ['dimension', 'dimensions'],
  ] as const)
    assert.equal(nearName(name, KNOWN), known, name);
});

test("other servers' fields and other words are no slips", () => {
  for (const name of [
    'min_tokens',
    'top_a',
    'min_p',
    'm',
    'step',
    'need',
    'repeat_penalty',
    'x'.repeat(1000),
    '',
    'models',
    'mode',
  ])
    assert.equal(nearName(name, KNOWN), undefined, name);
});
