import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { logRequest, type AccessRecord } from '../../src/http/access-log.ts';
import { createLogs } from '../../src/log.ts';
import { logFields } from '../../src/salad/identity.ts';
import { emptyTiming } from '../../src/serving/timing.ts';
import { code, readDocument, tableRows } from './documents.ts';
import { logCalls, type LogCall } from './log-calls.ts';

const document = readDocument('docs/log.md');
const names = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);

/** What the page says of a line: a row of one of its tables of messages. */
interface Row {
  readonly messages: readonly string[];
  readonly severities: readonly string[];
  readonly fields: readonly string[];
}

const rows: Row[] = document
  .split(/^## /m)
  .filter((section) => section.includes('| message |'))
  .flatMap((section) => tableRows(section, '| message | severity | fields | |'))
  .map(([messages = '', severities = '', fields]) => ({
    messages: names(messages),
    severities: severities.split(', '),
    fields: names(fields),
  }));

const SEVERITIES: Readonly<Record<string, string>> = { debug: 'DEBUG', info: 'INFO', warn: 'WARNING', error: 'ERROR' };

/** Whether a message of the sources is that of the page: each may leave parts out. */
function isSame(source: string, page: string): boolean {
  const pattern = source.split('...').map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`));
  return page === source || new RegExp(`^${pattern.join('.*')}$`).test(page);
}

function isTold({ levels, fields, isComplete }: LogCall, { severities, fields: told }: Row): boolean {
  const may = levels.map((level) => SEVERITIES[level] ?? '');
  return (
    (may.length === 1 ? severities.includes(may[0] ?? '') : severities.every((severity) => may.includes(severity))) &&
    fields.every((field) => told.includes(field)) &&
    (!isComplete || fields.length === told.length)
  );
}

const calls = logCalls();

test('docs/log.md has every message that the sources log, with its severities and fields', () => {
  assert.ok(calls.length > 80);
  const untold = calls.flatMap((call) =>
    call.messages
      .filter((message) => message !== 'request' && message !== 'client left')
      .filter((message) => !rows.some((row) => row.messages.some((one) => isSame(message, one)) && isTold(call, row)))
      .map((message) => `${call.place}: ${call.levels.join(', ')} ${message} {${call.fields.join(', ')}}`),
  );
  assert.deepEqual(untold, []);
});

test('docs/log.md has no message that no source logs', () => {
  const logged = calls.flatMap(({ messages }) => messages);
  const extra = rows
    .flatMap(({ messages }) => messages)
    .filter((one) => !logged.some((message) => isSame(message, one)));
  assert.deepEqual(extra, []);
});

/** Everything that the line of a request can hold. */
const FULL: AccessRecord = {
  id: 'r-1',
  jobId: 'job-1',
  trace: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), parentId: 'c'.repeat(16) },
  method: 'POST',
  path: '/predict/square',
  status: 503,
  dialect: { name: 'native' },
  elapsedMs: 2,
  firstEventMs: 1,
  model: { name: 'square', version: '1' },
  items: 1,
  timing: { ...emptyTiming(), audioSeconds: 3 },
  error: new ServerError('INTERNAL', 'x'),
  key: { name: 'app' },
  quiet: false,
  takeLogLine: () => true,
};

test('docs/log.md lists exactly the fields of the line of a request', () => {
  let written = '';
  const fields = logFields({ SALAD_MACHINE_ID: 'm', SALAD_CONTAINER_GROUP_ID: 'g' });
  const { access } = createLogs({
    level: 'info',
    pretty: false,
    fields,
    stream: { write: (line) => (written = line) },
  });
  logRequest(access, FULL);
  const told = document
    .split(/^## /m)
    .filter((section) => section.includes('| field | meaning |'))
    .flatMap((section) => tableRows(section, '| field | meaning |'))
    .flatMap(([cell = '']) => cell.split(',').map((name) => code(name.trim())));
  // The name of the GPU comes when nvidia-smi has answered.
  assert.deepEqual([...Object.keys(JSON.parse(written) as object), 'gpu'].toSorted(), told.toSorted());
});
