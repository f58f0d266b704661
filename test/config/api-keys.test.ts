import assert from 'node:assert/strict';
import test from 'node:test';
import { digestOfKey, parseKeys, readKeysFile } from '../../src/config/api-keys.ts';
import { hashedText, hashKey } from '../../src/config/hash-key.ts';

const A = digestOfKey('a');
const B = digestOfKey('b');

test('entries have a name, a hash and perhaps scopes', () => {
  const problems: string[] = [];
  const entries = parseKeys(
    { API_KEY: 'secret', API_KEYS: [`app:${A.toUpperCase()}`, B, `ops:${digestOfKey('c')}:manage:metrics`] },
    problems,
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(entries, [
    { name: 'default', sha256: [digestOfKey('secret')], scopes: ['infer', 'manage', 'metrics'] },
    { name: 'app', sha256: [A], scopes: ['infer'] },
    { name: 'key-2', sha256: [B], scopes: ['infer'] },
    { name: 'ops', sha256: [digestOfKey('c')], scopes: ['manage', 'metrics'] },
  ]);
});

test('an entry that cannot be read is named by its place, never quoted', () => {
  for (const entry of ['my-plain-key', 'app:my-plain-key', `app:${A}:my-plain-key`, `my plain-key:${A}`, `:${A}`]) {
    const problems: string[] = [];
    parseKeys({ API_KEY: '', API_KEYS: [`ok:${B}`, entry] }, problems);
    assert.equal(problems.length, 1, entry);
    assert.match(problems[0] ?? '', /^API_KEYS: entry 2: expected name:sha256/);
    assert.doesNotMatch(problems[0] ?? '', /plain-key/);
  }
});

test('names and keys stand there once', () => {
  const problems: string[] = [];
  parseKeys({ API_KEY: '', API_KEYS: [`a:${A}`, `a:${B}`] }, problems);
  parseKeys({ API_KEY: '', API_KEYS: [`a:${A}`, `b:${A}`] }, problems);
  assert.deepEqual(problems, ['API_KEYS: two keys are called a', 'API_KEYS: the same key stands there twice']);
});

test('a file has limits for each key, and two hashes for one that is being replaced', () => {
  const [app, ops] = readKeysFile(
    JSON.stringify({
      keys: [
        { name: 'app', sha256: [A, B], requestsPerSecond: 5, burst: 9, itemsPerDay: 100, priority: 3 },
        { name: 'ops', sha256: digestOfKey('c').toUpperCase(), scopes: ['manage'] },
      ],
    }),
    [],
  );
  assert.deepEqual(app, {
    ...{ name: 'app', sha256: [A, B], scopes: ['infer'] },
    ...{ requestsPerSecond: 5, burst: 9, itemsPerDay: 100, priority: 3 },
  });
  assert.deepEqual(ops, { name: 'ops', sha256: [digestOfKey('c')], scopes: ['manage'] });
});

test('a broken file is refused in words that hold nothing of it', () => {
  const file = (key: object): string => JSON.stringify({ keys: [key] });
  const whole = { name: 'app', sha256: A };
  for (const [text, words] of [
    ['{"keys": [plain-key', /^it is not valid JSON$/],
    ['[]', /^Invalid input: expected object/],
    [file({ ...whole, sha256: 'plain-key' }), /^keys.0.sha256/],
    [file({ ...whole, sha256: [] }), /^keys.0.sha256/],
    [file({ ...whole, name: 'plain-key of mine' }), /^keys.0.name: expected 1 to 64 letters/],
    [file({ ...whole, scopes: ['plain-key'] }), /^keys.0.scopes.0/],
    [file({ ...whole, requestsPerSecond: 0 }), /^keys.0.requestsPerSecond/],
    [file({ ...whole, limit: 1 }), /^keys.0: Unrecognized key/],
    [file({ ...whole, name: 'taken' }), /^two keys are called taken$/],
    [file({ ...whole, sha256: B }), /^the same key stands there twice$/],
  ] as const)
    assert.throws(
      () => readKeysFile(text, [{ name: 'taken', sha256: [B], scopes: ['infer'] }]),
      (error: unknown) => error instanceof Error && words.test(error.message) && !error.message.includes('plain-key'),
      text,
    );
});

test('hash-key prints what openssl would, or a new key with its entry', () => {
  // printf %s key | openssl dgst -sha256
  const known = '2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683';
  assert.equal(hashedText(hashKey('app', 'key\n')), `app:${known}`);
  const made = /^key {4}(cp-[\w-]{43})\nentry {2}app:([\da-f]{64})$/.exec(hashedText(hashKey('app', undefined)));
  assert.equal(digestOfKey(made?.[1] ?? ''), made?.[2]);
  assert.notEqual(hashKey('app', undefined).key, hashKey('app', undefined).key);
});
