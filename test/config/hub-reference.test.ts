import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseReference, parseReferences } from '../../src/config/hub-reference.ts';

test('a reference names a repository, and perhaps a revision, a dtype and a folder', () => {
  assert.deepEqual(parseReference('hf:acme/tiny-1.5'), {
    repository: 'acme/tiny-1.5',
    revision: 'main',
    folder: 'tiny-1.5',
  });
  assert.deepEqual(parseReference('mine=hf:acme/tiny@refs/pr/1#q8'), {
    repository: 'acme/tiny',
    revision: 'refs/pr/1',
    dtype: 'q8',
    folder: 'mine',
  });
});

test('an invalid reference is refused with the reason', () => {
  for (const [text, reason] of [
    ['acme/tiny', /expected hf:owner\/name/],
    ['hf:tiny', /expected hf:owner\/name/],
    ['hf:acme/tiny/more', /expected hf:owner\/name/],
    ['hf:../tiny', /not the name of a repository/],
    ['hf:acme/..', /not the name of a repository/],
    ['hf:acme/a..b', /not the name of a repository/],
    ['hf:acme/tiny@../../x', /not a revision/],
    ['hf:acme/tiny@a b', /not a revision/],
    ['hf:acme/tiny#q5', /q5 is not a dtype; there are auto, fp32/],
    ['../up=hf:acme/tiny', /model name may hold only/],
    ['.hidden=hf:acme/tiny', /model name may hold only/],
    ['=hf:acme/tiny', /model name may hold only/],
  ] as const)
    assert.throws(() => parseReference(text), { message: reason }, text);
});

test('all problems of a list are reported, also two models for one folder', () => {
  const problems: string[] = [];
  const references = parseReferences(['hf:a/x#q8', 'nonsense', 'hf:b/x', 'y=hf:b/x'], problems);
  assert.deepEqual(
    references.map(({ repository, folder }) => `${repository} ${folder}`),
    ['a/x x', 'b/x y'],
  );
  assert.equal(problems.length, 2);
  assert.match(problems[1] ?? '', /hf:b\/x: another model goes to x too/);
});
