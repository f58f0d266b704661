import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readScenario } from '../../load-tests/runner/scenario.ts';
import { judgeThresholds } from '../../load-tests/runner/thresholds.ts';

const folder = new URL('../../../load-tests/', import.meta.url);
const names = readdirSync(new URL('scenarios/', folder)).map((file) => file.replace(/\.json$/, ''));
const noRun = {
  samples: [],
  dropped: 0,
  elapsedMs: 0,
  counters: { burst_squares: 0, burst_refused: 0, burst_wrong: 0 },
};

describe('load scenarios', () => {
  it('are all there', () => {
    for (const name of ['smoke', 'steady', 'overload', 'crowd', 'soak', 'reference-burst'])
      assert.ok(names.includes(name), name);
  });

  for (const name of names) {
    it(`${name} is valid, and its thresholds can be judged and can fail`, () => {
      const { options } = readScenario(name);
      const verdicts = judgeThresholds(options.thresholds, noRun);
      assert.ok(verdicts.length > 0);
      assert.ok(verdicts.some((verdict) => !verdict.passed));
    });

    it(`${name} has a k6 script that opens it`, () => {
      const script = readFileSync(new URL(`k6/${name}.ts`, folder), 'utf8');
      assert.ok(script.includes(`open('../scenarios/${name}.json')`));
    });
  }

  it('are the only ones that k6 scripts open', () => {
    for (const file of readdirSync(new URL('k6/', folder))) {
      const script = readFileSync(new URL(`k6/${file}`, folder), 'utf8');
      for (const [, name] of script.matchAll(/open\('\.\.\/scenarios\/(.*?)\.json'\)/g))
        assert.ok(names.includes(name ?? ''), `${file} opens ${name ?? ''}`);
    }
  });
});
