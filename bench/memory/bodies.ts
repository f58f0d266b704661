import { setTimeout as sleep } from 'node:timers/promises';
import { formatTable, short } from '../../src/benchmark/table.ts';
import type { Child } from '../child.ts';
import { readRssMib } from '../process-usage.ts';
import type { ServerProcess } from '../server-process.ts';
import type { AbuseAnswer, AbuseRequest } from './abuse.ts';

/** Large bodies in chunks, from 64 clients of 8 addresses: how far memory follows the budget, and what is given back. */

const JSON_BODY = {
  path: '/v2/models/language-id/infer',
  headers: { 'content-type': 'application/json' },
  start: '{"inputs":[{"name":"ngrams","shape":[1,620],"datatype":"FP32","data":[',
  piece: '0.123456789,',
  end: '1]}]}',
  clients: 64,
};
const KINDS: Readonly<Record<string, Omit<AbuseRequest, 'port' | 'seconds'>>> = {
  'bodies of 40 MB without an end': { ...JSON_BODY, bodyBytes: 40e6, isOpen: true },
  'whole bodies of 30 MB': { ...JSON_BODY, bodyBytes: 30e6, isOpen: false },
  'whole bodies of 3 MB': { ...JSON_BODY, bodyBytes: 3e6, isOpen: false },
};
const SAMPLE_MS = 20;
const REST_MS = 6000;

/** Measures all kinds, one after the other, and gives a table. */
export async function measureBodies(
  server: ServerProcess,
  abuse: Child<AbuseRequest, AbuseAnswer>,
  { seconds, budgetMib }: { readonly seconds: number; readonly budgetMib: number },
): Promise<string> {
  const rss = (): number => readRssMib(server.pid) ?? Number.NaN;
  const idle = rss();
  const rows: string[][] = [];
  for (const [name, kind] of Object.entries(KINDS)) {
    let peak = 0;
    const timer = setInterval(() => (peak = Math.max(peak, rss())), SAMPLE_MS);
    const { statuses, sentBytes } = await abuse.ask({ ...kind, port: server.port, seconds });
    clearInterval(timer);
    await sleep(REST_MS);
    rows.push([
      name,
      short(sentBytes / 1e6),
      [...statuses].map(([status, count]) => `${status === 0 ? 'none' : status}: ${count}`).join(', '),
      short(peak),
      short((peak - idle) / budgetMib),
      short(rss()),
    ]);
  }
  const head = ['', 'MB sent', 'statuses', 'peak MiB', 'growth / budget', `MiB ${REST_MS / 1000} s later`];
  return `idle ${short(idle)} MiB, budget ${budgetMib} MiB\n${formatTable(head, rows)}`;
}
