import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pullFlags } from '../../src/hub/flags.ts';

test('the command line of pull says the same as options of the configuration', () => {
  assert.deepEqual(pullFlags(['hf:a/b']), { flags: ['--carpool-models=hf:a/b'], json: false });
  assert.deepEqual(pullFlags(['--dtype', 'q8', 'hf:a/b@v1', '--to=/models', '--name', 'c']), {
    flags: ['--carpool-models=c=hf:a/b@v1#q8', '--models-dir=/models'],
    json: false,
  });
});

test('problems of the command line are reported', () => {
  for (const [argv, wanted] of [
    [[], /Give one model/],
    [['hf:a/b', 'hf:c/d'], /Give one model/],
    [['hf:a/b', '--colour=red'], /--colour/],
    [['hf:a/b', '--dtype'], /--dtype/],
  ] as const) {
    const answer = pullFlags(argv);
    assert.match('problem' in answer ? answer.problem : '', wanted);
  }
});

test('an invalid reference is reported without the name of an option that was not given', () => {
  assert.deepEqual(pullFlags(['acme/square']), {
    problem: 'acme/square: expected hf:owner/name[@revision][#dtype]',
  });
});
