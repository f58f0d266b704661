import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findEntities, type ScoredToken } from '../../../src/tasks/text/entities.ts';

/** Tokens of one character each, with a class by its label. */
function tokens(classes: readonly string[], labels: readonly string[], from = 0): ScoredToken[] {
  return classes.map((label, at) => ({
    word: String.fromCharCode(97 + from + at),
    scores: Float32Array.from(labels, (one) => (one === label ? 0.75 : 0)),
    start: from + at,
    end: from + at + 1,
    index: at + 1,
    continues: false,
  }));
}

function groups(classes: readonly string[], labels: readonly string[]): string[] {
  const options = {
    strategy: 'simple',
    labels,
    ignored: ['O'],
    join: (all: readonly string[]) => all.join(''),
  } as const;
  return findEntities([tokens(classes, labels)], options).map(
    (one) => `${'entity_group' in one ? one.entity_group : ''}:${one.word}`,
  );
}

test('labels with E and S say where an entity ends, those with L and U too', () => {
  const bioes = ['O', 'B-PER', 'I-PER', 'E-PER', 'S-PER'];
  assert.deepEqual(groups(['B-PER', 'I-PER', 'E-PER', 'S-PER', 'S-PER', 'O', 'B-PER'], bioes), [
    'PER:abc',
    'PER:d',
    'PER:e',
    'PER:g',
  ]);
  const bilou = ['O', 'B-X', 'I-X', 'L-X', 'U-X'];
  assert.deepEqual(groups(['B-X', 'L-X', 'I-X', 'U-X'], bilou), ['X:ab', 'X:c', 'X:d']);
});

test('E and S are names where labels have only one of them', () => {
  assert.deepEqual(groups(['E-MAIL', 'E-MAIL'], ['O', 'E-MAIL']), ['MAIL:ab']);
  assert.deepEqual(groups(['I-PER', 'PER', 'B-PER'], ['O', 'I-PER', 'PER', 'B-PER']), ['PER:ab', 'PER:c']);
});

test('of entities that overlap in two windows the longest is kept, of two as long the likelier', () => {
  const labels = ['O', 'I-A'];
  const options = {
    strategy: 'simple',
    labels,
    ignored: ['O'],
    join: (all: readonly string[]) => all.join(''),
  } as const;
  const one = tokens(['O', 'I-A', 'I-A'], labels);
  const two = tokens(['I-A', 'I-A', 'I-A'], labels, 1);
  assert.deepEqual(
    findEntities([one, two], options).map(({ word, start, end }) => [word, start, end]),
    [['bcd', 1, 4]],
  );
});
