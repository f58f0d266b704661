import assert from 'node:assert/strict';
import test from 'node:test';
import {
  MAX_LEAD_MS,
  charge,
  chooseNext,
  correct,
  effectiveLevel,
  forgive,
  rejoin,
  type Candidate,
} from '../../src/core/scheduler.ts';

const CLIENTS = { servedMs: 0, startMs: 0, weight: 1 };

const candidate = (level: number, servedMs: number, sequence: number, hurry: Partial<Candidate> = {}): Candidate => ({
  level,
  share: { servedMs, startMs: servedMs, weight: 1 },
  partyShare: CLIENTS,
  sequence,
  dueMs: 0,
  runMs: 10,
  isBacklogged: false,
  isFlooded: false,
  ...hurry,
});
const never = () => Infinity;

test('a priority rises one level per aging time, up to the first', () => {
  assert.equal(effectiveLevel(3, 999, 1000), 3);
  assert.equal(effectiveLevel(3, 1000, 1000), 2);
  assert.equal(effectiveLevel(3, 9000, 1000), 1);
  assert.equal(effectiveLevel(1, 9000, 1000), 1);
});

test('chooses the best level, then the least served, then the first come', () => {
  const [low, busy, idle, later] = [candidate(2, 0, 0), candidate(1, 9, 1), candidate(1, 5, 2), candidate(1, 5, 3)];
  assert.equal(chooseNext([low, busy, later, idle], 0, never), idle);
  assert.equal(chooseNext([low, busy], 0, never), busy);
  assert.equal(chooseNext<Candidate>([], 0, never), undefined);
});

test('as long as all can wait for it, the most urgent goes first, however much it was served', () => {
  const [rare, urgent] = [candidate(1, 0, 0, { dueMs: 30 }), candidate(1, 500, 1, { dueMs: 15 })];
  assert.equal(chooseNext([rare, urgent], 0, never), urgent);
  assert.equal(chooseNext([rare, urgent], 20, never), rare, 'it cannot wait for a run of 10 ms');
  assert.equal(
    chooseNext([rare, urgent], 20, () => 25),
    urgent,
    'it has another lane in time',
  );
});

test('a backlogged model goes by what it was served', () => {
  const [rare, urgent] = [candidate(1, 0, 0, { dueMs: 300 }), candidate(1, 500, 1, { dueMs: 15, isBacklogged: true })];
  assert.equal(chooseNext([rare, urgent], 0, never), rare);
  const [behind, light] = [candidate(1, 0, 0, { dueMs: 300, isBacklogged: true }), candidate(1, 500, 1, { dueMs: 15 })];
  assert.equal(chooseNext([behind, light], 0, never), behind);
});

test('a flooded model yields to one that is not, and to none that is', () => {
  const light = candidate(1, 0, 0, { dueMs: 300 });
  const flooded = candidate(1, 500, 1, { dueMs: 15, isFlooded: true });
  assert.equal(chooseNext([light, flooded], 0, never), light);
  assert.equal(chooseNext([{ ...light, isFlooded: true }, flooded], 0, never), flooded);
});

test('lane time counts over the weight', () => {
  const share = { servedMs: 0, startMs: 0, weight: 4 };
  charge(share, 20);
  assert.equal(share.servedMs, 5);
  correct(share, 20, 28);
  assert.equal(share.servedMs, 7);
});

test('lane time is charged as predicted and corrected as measured', () => {
  const share = { servedMs: 10, startMs: 0, weight: 1 };
  charge(share, 5);
  assert.deepEqual(share, { servedMs: 15, startMs: 10, weight: 1 });
  correct(share, 5, 7);
  assert.equal(share.servedMs, 17);
});

test('a lead beyond the limit is forgiven, a smaller one is not', () => {
  const [behind, near, far] = [candidate(1, 100, 0), candidate(1, 200, 1), candidate(1, 100 + 2 * MAX_LEAD_MS, 2)];
  forgive([behind, near, far]);
  assert.deepEqual(
    [behind, near, far].map(({ share }) => share.servedMs),
    [100, 200, 100 + MAX_LEAD_MS],
  );
});

test('a model that returns has no credit, and no more debt than before', () => {
  const rival = (servedMs: number, startMs: number, waitingTickets: number, runningItems: number) => ({
    share: { servedMs, startMs, weight: 1 },
    waitingTickets,
    runningItems,
  });
  const rejoined = (servedMs: number, ...rivals: ReturnType<typeof rival>[]): number => {
    const share = { servedMs, startMs: 0, weight: 1 };
    rejoin(share, rivals);
    return share.servedMs;
  };
  assert.equal(rejoined(0, rival(500, 400, 3, 0), rival(300, 200, 1, 0), rival(1, 0, 0, 0)), 300);
  assert.equal(rejoined(0, rival(500, 400, 3, 1)), 400, 'it is served right after the run in progress');
  assert.equal(rejoined(900, rival(500, 400, 3, 0)), 900);
  assert.equal(rejoined(0, rival(500, 400, 0, 0)), 500, 'alone it goes on where the last one stopped');
});
