import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HTTP } from '../../src/dialects/shared/dialect.ts';
import { ServerError } from '../../src/errors.ts';
import type { AccessRecord } from '../../src/http/access-log.ts';
import { RefusalLog } from '../../src/http/refusal-log.ts';
import { createLogs } from '../../src/log.ts';

type Line = Readonly<Record<string, unknown>>;

function setUp() {
  const lines: Line[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Line);
  const { access } = createLogs({ level: 'info', pretty: false, stream: { write } });
  const timers: (() => void)[] = [];
  const log = new RefusalLog(access, (_, callback) => void timers.push(callback));
  const refuse = (count: number, code: 'QUEUE_FULL' | 'DRAINING' = 'QUEUE_FULL'): void => {
    const error = new ServerError(code);
    const kind = { status: error.status, dialect: HTTP, code };
    const record: AccessRecord = {
      ...kind,
      ...{ id: 'r', jobId: undefined, trace: undefined, method: 'POST', path: '/predict', elapsedMs: 0.01 },
      ...{ firstEventMs: undefined, model: undefined, items: 0, timing: undefined, error, quiet: false },
      takeLogLine: () => true,
    };
    for (let index = 0; index < count; index += 1) log.add(kind, () => record);
  };
  /** A second goes by, if anybody waits for it. */
  const tick = (): void => timers.shift()?.();
  const take = (): Line[] => lines.splice(0);
  return { log, refuse, tick, take, timers };
}

const gathered = (lines: readonly Line[]) =>
  lines.map(({ msg, severity, status, dialect, code, count }) => [msg, severity, status, dialect, code, count]);

test('the first refusals have a line each, the rest one line a second for each kind', () => {
  const { refuse, tick, take } = setUp();
  refuse(30);
  refuse(5, 'DRAINING');
  const first = take();
  assert.equal(first.length, 10);
  assert.ok(first.every(({ msg, requestId, code }) => msg === 'request' && requestId === 'r' && code === 'QUEUE_FULL'));
  tick();
  assert.deepEqual(gathered(take()), [
    ['requests refused', 'INFO', 429, 'http', 'QUEUE_FULL', 20],
    ['requests refused', 'WARNING', 503, 'http', 'DRAINING', 5],
  ]);
});

test('while refusals go on none has a line of its own, and after a quiet second they have again', () => {
  const { refuse, tick, take, timers } = setUp();
  refuse(12);
  tick();
  take();
  refuse(3);
  assert.deepEqual(take(), []);
  tick();
  assert.deepEqual(gathered(take()), [['requests refused', 'INFO', 429, 'http', 'QUEUE_FULL', 3]]);
  tick();
  assert.deepEqual(take(), []);
  assert.equal(timers.length, 0);
  refuse(1);
  assert.equal(take()[0]?.['msg'], 'request');
});

test('what is gathered is told at the end', () => {
  const { log, refuse, take } = setUp();
  refuse(11);
  take();
  log.flush();
  log.flush();
  assert.deepEqual(gathered(take()), [['requests refused', 'INFO', 429, 'http', 'QUEUE_FULL', 1]]);
});
