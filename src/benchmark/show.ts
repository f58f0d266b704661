import type { LoadShape } from './flags.ts';
import type { Percentiles, Report } from './report.ts';
import { formatTable, short } from './table.ts';

/** From this part of a core on the client itself may be what limits. */
const BUSY_CLIENT = 0.85;
const LATE_MS = 20;

/** A report for a person. */
export function reportText(report: Report): string {
  const rows: (readonly [string, Percentiles | null])[] = [
    [report.load.loop.kind === 'open' ? 'latency, from when it was due' : 'latency', report.latencyMs],
    ['refusals', report.refusalMs],
    ['first token', report.firstTokenMs],
    ['between tokens', report.betweenTokensMs],
    ...Object.entries(report.stagesMs).map(
      ([stage, value]) => [`  ${stage === 'total' ? 'all in the server' : stage}`, value] as const,
    ),
  ];
  const shown = rows.flatMap(([name, value]) => (value === null ? [] : [rowOf(name, value)]));
  return [
    `${report.model === null ? '' : `${report.model} (${report.task ?? ''}), `}${report.url}${report.path}, ${shapeText(report.load)}`,
    countsText(report),
    ...(shown.length === 0 ? [] : ['', formatTable(['ms', 'mean', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'max'], shown)]),
    ...warningsOf(report).map((text) => `\n${text}`),
  ].join('\n');
}

export function shapeText({ loop, isKept }: LoadShape): string {
  const connections = isKept ? '' : ', a connection for each request';
  return loop.kind === 'closed'
    ? `${loop.concurrency} client${loop.concurrency === 1 ? '' : 's'}${connections}`
    : `${short(loop.perSecond)} requests a second, ${loop.arrivals === 'poisson' ? 'at random' : 'evenly'}${connections}`;
}

function rowOf(name: string, { mean, p50, p90, p95, p99, p999, max }: Percentiles): string[] {
  return [name, ...[mean, p50, p90, p95, p99, p999, max].map(short)];
}

function countsText(report: Report): string {
  const { answered, perSecond, seconds, refused, failed, dropped, meanBatch, tokensPerSecond, rounds } = report;
  const speeds = rounds.map((round) => round.perSecond);
  const spread = `${short(Math.min(...speeds))} to ${short(Math.max(...speeds))} in ${rounds.length} rounds`;
  return [
    `${answered} answers in ${short(seconds)} s: ${short(perSecond)} a second (${spread})`,
    ...(tokensPerSecond === null ? [] : [`${short(tokensPerSecond)} tokens a second`]),
    ...(meanBatch === null ? [] : [`${short(meanBatch)} items a batch`]),
    `${refused} refused`,
    `${failed} failed`,
    ...(dropped === 0 ? [] : [`${dropped} not sent`]),
  ].join(', ');
}

/** What the codes of failures mean; others are told as they are. */
const CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was broken off',
  EMFILE: 'this program may not open as many files: raise `ulimit -n`',
  ENOTFOUND: 'there is no such host',
  UND_ERR_BODY_TIMEOUT: 'the answer did not go on',
  UND_ERR_CONNECT_TIMEOUT: 'no connection could be opened in time',
  UND_ERR_HEADERS_OVERFLOW: "the answer's headers are too large",
  UND_ERR_HEADERS_TIMEOUT: 'no answer came in time',
  UND_ERR_SOCKET: 'the server closed the connection before its answer was whole',
};

function warningsOf({ failures, client, load, dropped, requests }: Report): string[] {
  const reasons = Object.entries(failures).map(([reason, count]) => {
    const words = CODES[reason];
    return `${count} failed: ${reason}${words === undefined ? '' : `: ${words}`}`;
  });
  if (requests === 0)
    return [
      'No request began within the measurement: those of the warm-up took longer. Make it longer (--warm-up, --duration), or the load lighter (--concurrency, --model).',
    ];
  const isLate = load.loop.kind === 'open' && client.behindMs > LATE_MS;
  return [
    ...reasons,
    ...(client.cpu > BUSY_CLIENT
      ? [`This program took ${short(client.cpu)} cores: it may be what limits, not the server.`]
      : []),
    ...(isLate
      ? [
          `Requests were sent up to ${short(client.behindMs)} ms too late: this program cannot send as many. Their wait counts.`,
        ]
      : []),
    ...(dropped > 0 ? ['Requests were not sent because too many were under way.'] : []),
  ];
}
