/** What is done to workers, queues and storages, in a storm. */
export type Blow =
  | 'worker killed'
  | 'worker stopped'
  | 'worker cut off'
  | 'queue killed'
  | 'queue stopped'
  | 'storage killed'
  | 'storage stopped'
  | 'storage slow';

export type Blows = Readonly<Partial<Record<Blow, number>>>;

/** Of all of them there may be none. */
export interface Faults {
  /** Jobs without a result when all had had their time. */
  readonly lost: number;
  /** Results that came again: others than they were, or stored anew. */
  readonly doubled: number;
  /** Jobs that were told to be done before their result was there. */
  readonly early: number;
  /** Results that are not what the job asked for. */
  readonly wrong: number;
}

/** What a storm has done, and what has become of its jobs. */
export interface StormReport {
  /** Messages: those that were sent twice count twice. */
  readonly jobs: number;
  readonly seconds: number;
  readonly blows: Blows;
  readonly faults: Faults;
  /** The longest time without a sign of life for which a job was seen to be held, in ms; absent where the source does not tell. */
  readonly heldMs?: number;
  /** From the death of those that held jobs until others had answered all of them, in ms. */
  readonly takenOverMs?: number;
}

export function hasFaults({ lost, doubled, early, wrong }: Faults): boolean {
  return lost + doubled + early + wrong > 0;
}

const HEADS = ['source', 'jobs', 's', 'what was done', 'lost', 'doubled', 'early', 'wrong', 'held', 'taken over'];

/** A table in Markdown, with the times in seconds. `early`: reported before it was stored. */
export function tableOf(reports: readonly (readonly [source: string, report: StormReport])[]): string {
  const seconds = (ms: number | undefined): string => (ms === undefined ? '' : (ms / 1000).toFixed(1));
  const rows = reports.map(([source, { jobs, blows, faults, ...times }]) => [
    ...[source, jobs, times.seconds.toFixed(0), told(blows), faults.lost, faults.doubled, faults.early, faults.wrong],
    ...[seconds(times.heldMs), seconds(times.takenOverMs)],
  ]);
  return [HEADS, HEADS.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function told(blows: Blows): string {
  return Object.entries(blows)
    .map(([blow, count]) => `${count} ${blow}`)
    .join(', ');
}
