import { formatTable, short } from '../../src/benchmark/table.ts';
import { DIALECTS } from '../payload.ts';
import { median } from '../../src/benchmark/statistics.ts';
import { BARE_LOOP, bareHttp, byRound, PAGE_OPEN, type Sample, spread, valuesOf } from './samples.ts';

const HEAD = [
  'connections, side',
  'requests/s',
  'of bare loop',
  'of node:http',
  'p50 / p99 ms',
  'batch',
  'main thread us',
  'server us',
  'client us',
  'failures',
];

/** The table of a model: one row a side and number of connections, medians over the rounds, the least and most behind them. */
export function limitTable(samples: readonly Sample[]): string {
  const keys = new Map(samples.map(({ side, connections }) => [`${connections}\n${side}`, { side, connections }]));
  const rows = [...keys.values()].map(({ side, connections }) => {
    const of = (key: (sample: Sample) => number | undefined): number[] => [
      ...valuesOf(samples, side, connections, key).values(),
    ];
    const middle = (key: (sample: Sample) => number | undefined): string =>
      of(key).length === 0 ? '-' : short(median(of(key)));
    const perSecond = valuesOf(samples, side, connections);
    const against = (other: string | undefined): string =>
      other === undefined || other === side ? '-' : spread(byRound(perSecond, valuesOf(samples, other, connections)));
    return [
      `${connections} ${side}`,
      spread([...perSecond.values()]),
      against(BARE_LOOP),
      against(bareHttpOf(side)),
      `${middle(({ p50Ms }) => p50Ms)} / ${middle(({ p99Ms }) => p99Ms)}`,
      middle(({ meanBatch }) => meanBatch),
      middle(({ mainThreadUs }) => mainThreadUs),
      middle(({ serverUs }) => serverUs),
      middle(({ clientUs }) => clientUs),
      String(of(({ failures }) => failures).reduce((sum, count) => sum + count, 0)),
    ];
  });
  return formatTable(HEAD, rows);
}

/** What an open page costs, within each round: a line for each side that was measured with one. */
export function pageLines(samples: readonly Sample[]): string[] {
  const watched = new Map(
    samples
      .filter(({ side }) => side.endsWith(PAGE_OPEN))
      .map(({ side, connections }) => [`${connections} ${side}`, { side, connections }]),
  );
  return [...watched].map(([name, { side, connections }]) => {
    const ratio = (value?: (sample: Sample) => number | undefined): string =>
      spread(
        byRound(
          valuesOf(samples, side, connections, value),
          valuesOf(samples, side.slice(0, -PAGE_OPEN.length), connections, value),
        ),
      );
    return `${name}, against closed: ${ratio()} of the requests/s, ${ratio(({ mainThreadUs }) => mainThreadUs)} of the main thread's time for each`;
  });
}

/** The bare HTTP server of the same payload; undefined for the bare loop and for peers, whose payload may be another. */
function bareHttpOf(side: string): string | undefined {
  const dialect = DIALECTS.find((name) => side.includes(name));
  return side === BARE_LOOP || dialect === undefined ? undefined : bareHttp(dialect);
}

export const CSV_HEAD =
  'model,side,connections,round,per_second,p50_ms,p99_ms,failures,mean_batch,main_thread_us,server_us,client_us\n';

export function csvLine(model: string, sample: Sample): string {
  const { side, connections, round, perSecond, p50Ms, p99Ms, failures } = sample;
  const { meanBatch, mainThreadUs, serverUs, clientUs } = sample;
  const numbers = [perSecond, p50Ms, p99Ms, failures, meanBatch, mainThreadUs, serverUs, clientUs];
  // Names of sides hold a comma.
  return `${model},"${side}",${connections},${round},${numbers.map((number) => number ?? '').join(',')}\n`;
}
