import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogs } from '../src/log.ts';

function logTo(level = 'debug') {
  const lines: string[] = [];
  const { log, access } = createLogs({ level, pretty: false, stream: { write: (line) => void lines.push(line) } });
  return { log, access, entries: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>), lines };
}

test('each line has a severity as the collectors name it, and no level', () => {
  const { log, entries } = logTo();
  log.debug('a');
  log.info('b');
  log.warn('c');
  log.error('d');
  assert.deepEqual(
    entries().map(({ severity, msg }) => [severity, msg]),
    [
      ['DEBUG', 'a'],
      ['INFO', 'b'],
      ['WARNING', 'c'],
      ['ERROR', 'd'],
    ],
  );
  for (const entry of entries()) {
    for (const absent of ['level', 'pid', 'hostname']) assert.ok(!(absent in entry), absent);
    assert.match(String(entry['time']), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  }
});

test('what is below the level is not written', () => {
  const { log, entries } = logTo('warn');
  log.info('a');
  log.warn('b');
  assert.deepEqual(
    entries().map(({ msg }) => msg),
    ['b'],
  );
  const silent = logTo('silent');
  silent.log.error('a');
  assert.deepEqual(silent.lines, []);
});

test('secrets do not reach the log, whether on their own or among headers', () => {
  const { log, lines } = logTo();
  const names = ['authorization', 'cookie', 'x-api-key', 'salad-api-key', 'api_key', 'token', 'password', 'secret'];
  for (const name of names) {
    log.info({ [name]: 'hush-1', other: 'seen' }, 'a');
    log.info({ headers: { [name]: 'hush-2', host: 'seen' } }, 'b');
    log.info({ request: { headers: { [name]: 'hush-3', host: 'seen' } } }, 'c');
  }
  assert.equal(lines.length, 3 * names.length);
  for (const line of lines) {
    assert.doesNotMatch(line, /hush/);
    assert.match(line, /\*\*\*/);
    assert.match(line, /seen/);
  }
});

test('an error is written with its stack and cause, once', () => {
  const { log, entries } = logTo();
  log.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed');
  const [entry] = entries();
  const { message, stack } = entry?.['err'] as { message: string; stack: string };
  assert.match(message, /outer/);
  assert.match(stack, /inner/);
});

test('the line of each request goes out as the others do', () => {
  const { access, entries } = logTo('info');
  access.info({ status: 200 }, 'request');
  access.debug('probe');
  assert.deepEqual(
    entries().map(({ severity, status, msg }) => [severity, status, msg]),
    [['INFO', 200, 'request']],
  );
});

test('on a terminal each line is one line, with the name of its level, and a request what came of it', () => {
  const lines: string[] = [];
  const { log, access } = createLogs({
    level: 'debug',
    pretty: true,
    stream: { write: (line) => void lines.push(line) },
  });
  log.warn({ model: 'm' }, 'careful');
  access.info(
    { requestId: 'r', method: 'POST', path: '/predict', status: 200, durationMs: 1.5, model: 'm' },
    'request',
  );
  log.info({ model: 'm', durationMs: 7 }, 'model loaded');
  const shown = lines.map((line) => line.replace(/^\[[^\]]*\] /, ''));
  assert.deepEqual(shown, [
    'WARNING: careful {"model":"m"}\n',
    'INFO: POST /predict 200 in 1.5 ms {"model":"m"}\n',
    'INFO: model loaded in 7 ms {"model":"m"}\n',
  ]);
});
