import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { goalsTable } from '../../bench/limit/goals.ts';
import { readLimitOptions } from '../../bench/limit/options.ts';
import { BARE_LOOP, bareHttp, byRound, ours, type Sample, spread, valuesOf } from '../../bench/limit/samples.ts';
import { csvLine, limitTable } from '../../bench/limit/table.ts';
import { parseReport } from '../../bench/wrk.ts';

function sample(side: string, round: number, perSecond: number, change: Partial<Sample> = {}): Sample {
  return {
    side,
    connections: 64,
    round,
    perSecond,
    p50Ms: 10,
    p99Ms: 20,
    failures: 0,
    meanBatch: undefined,
    mainThreadUs: undefined,
    serverUs: undefined,
    clientUs: undefined,
    ...change,
  };
}

const JSON_SIDE = ours('oip-json', 1);
/** A machine whose speed halves and doubles between rounds. */
const DRIFTING = [
  sample(BARE_LOOP, 1, 1000),
  sample(JSON_SIDE, 1, 900, { failures: 1, meanBatch: 30 }),
  sample(bareHttp('oip-json'), 1, 3000),
  sample(BARE_LOOP, 2, 500),
  sample(JSON_SIDE, 2, 460, { failures: 2, meanBatch: 32 }),
  sample(bareHttp('oip-json'), 2, 1500),
  sample(BARE_LOOP, 3, 2000),
  sample(JSON_SIDE, 3, 1760, { meanBatch: 31 }),
  sample(bareHttp('oip-json'), 3, 6000),
];

describe('byRound', () => {
  it('takes ratios within a round, so that a drifting machine does not move them', () => {
    const ratios = byRound(valuesOf(DRIFTING, JSON_SIDE, 64), valuesOf(DRIFTING, BARE_LOOP, 64));
    assert.deepEqual(ratios, [0.9, 0.92, 0.88]);
    assert.equal(spread(ratios), '0.9 (0.88 to 0.92)');
  });
  it('leaves out rounds that one side lacks', () => {
    const some = [sample('a', 1, 10), sample('a', 2, 20), sample('b', 2, 10)];
    assert.deepEqual(byRound(valuesOf(some, 'a', 64), valuesOf(some, 'b', 64)), [2]);
    assert.equal(spread([]), '-');
  });
});

describe('limitTable', () => {
  it('has a row a side with medians, ratios to the bare loop and to the bare HTTP server, and all failures', () => {
    const row = limitTable(DRIFTING)
      .split('\n')
      .find((line) => line.includes(JSON_SIDE))
      ?.split('|')
      .map((cell) => cell.trim());
    assert.deepEqual(row?.slice(1, 7), [
      `64 ${JSON_SIDE}`,
      '900 (460 to 1760)',
      '0.9 (0.88 to 0.92)',
      '0.3 (0.293 to 0.307)',
      '10 / 20',
      '31',
    ]);
    assert.equal(row.at(-2), '3');
  });
});

describe('goalsTable', () => {
  it('says which goals are met by the median, and leaves out those that were not measured', () => {
    const lines = goalsTable('C', DRIFTING).split('\n').slice(2);
    assert.deepEqual(
      lines.map((line) => line.split('|').map((cell) => cell.trim())),
      [['', 'oip-json, 1 lane / bare loop', '>= 0.9', '0.9 (0.88 to 0.92)', 'yes', '']],
    );
  });
  it('takes the difference of medians for one client', () => {
    const lone = [
      sample(BARE_LOOP, 1, 1, { connections: 1 }),
      sample(JSON_SIDE, 1, 1, { connections: 1, p50Ms: 10.5 }),
    ];
    assert.match(goalsTable('B', lone), /above the bare run, ms \| +<= 0\.3 \| +0\.5 \| +no /);
  });
});

describe('csvLine', () => {
  it('leaves unknown values empty', () => {
    const line = csvLine('A', sample(JSON_SIDE, 2, 5, { serverUs: 7 }));
    assert.equal(line, 'A,"carpool oip-json, 1 lane",64,2,5,10,20,0,,,7,\n');
  });
});

describe('readLimitOptions', () => {
  it('measures everything with --all, and what is named otherwise', () => {
    const all = readLimitOptions(['--all']);
    assert.deepEqual([all.models.length, all.connections, all.lanes], [5, [1, 8, 64, 256], [1, 2]]);
    const some = readLimitOptions(['--models', 'A,B', '--connections', '8,64', '--dialects', 'native']);
    assert.deepEqual([some.models, some.connections, some.dialects], [['A', 'B'], [8, 64], ['native']]);
  });
  it('pairs the flags of peers in their order', () => {
    const { peers } = readLimitOptions([
      ...['--url', 'http://localhost:1/x', '--command', 'one', '--url', 'http://localhost:2/', '--command', 'two'],
    ]);
    assert.deepEqual(
      peers.map(({ url, command }) => [url.port, command]),
      [
        ['1', 'one'],
        ['2', 'two'],
      ],
    );
  });
  it('names the flag that is wrong', () => {
    assert.throws(() => readLimitOptions(['--models', 'D']), /--models: one of A, B, C/);
    assert.throws(() => readLimitOptions(['--url', 'https://x']), /--url/);
  });
});

describe('parseReport', () => {
  it('counts answers without replies of an error status', () => {
    const report = parseReport('Running 3s test\n  2 threads\nREPORT 1000 2000000 100 3 1500 9000\n');
    assert.deepEqual(report, { requests: 900, perSecond: 450, p50Ms: 1.5, p99Ms: 9, failures: 103 });
    assert.throws(() => parseReport('unable to connect'), /wrk did not report/);
  });
});
