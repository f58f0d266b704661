import type { Clock } from '../core/ticket.ts';
import { isLong, packChunks, type Parcel } from '../cpu/parcel.ts';
import type { CpuPool } from '../cpu/pool.ts';
import type { RanItem } from '../cpu/protocol.ts';
import type { Answer, AnswerHead, ItemsOperation } from '../dialects/shared/operation.ts';
import { finishItem, type ItemResult } from '../dialects/shared/results.ts';
import { errorOf, plainError, type ErrorCode, type ServerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { ownOutputs } from './outputs.ts';
import type { Ran, RanOutputs } from './run-items.ts';
import type { ServedModel } from './served-model.ts';
import { limitsOf, type Ride } from './tickets.ts';

/** Outputs of this size, all together, take about a millisecond to finish and to print; larger ones leave the main thread. */
const LIGHT_OUTPUT_BYTES = 32 * 1024;

/** A request whose items have run. */
export interface RanRequest {
  readonly operation: ItemsOperation;
  readonly model: ServedModel;
  readonly head: AnswerHead;
  readonly ran: readonly Ran[];
  readonly options: unknown;
  /** Options and memos of a request that was prepared as a whole, not read on the main thread. */
  readonly luggage?: Uint8Array | undefined;
}

/** Finishes items and encodes the answer: on this thread if that is light, else in one job of the CPU pool. */
export class ItemAnswerer {
  readonly #cpu: CpuPool;
  readonly #metrics: Metrics;
  readonly #clock: Clock;
  readonly #log: Pick<Log, 'error'>;

  constructor(parts: { cpu: CpuPool; metrics: Metrics; clock: Clock; log: Pick<Log, 'error'> }) {
    this.#cpu = parts.cpu;
    this.#metrics = parts.metrics;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  /** Throws the error of the whole request, if there is one. */
  async answer(request: RanRequest, ride: Ride): Promise<Answer> {
    const { promptTokens } = ride.timing;
    // Once a request, because a counter costs a microsecond.
    if (promptTokens !== undefined)
      this.#metrics.work.inc({ model: request.model.name, unit: 'prompt_tokens' }, promptTokens);
    const startMs = this.#clock.now();
    ride.timing.totalMs = startMs - ride.deadline.startMs;
    const isHere = request.luggage === undefined && isLight(request);
    const answer = isHere ? await this.#answerHere(request) : await this.#answerOnPool(request, ride);
    const endMs = this.#clock.now();
    const finishMs = endMs - startMs;
    const { model } = request;
    // What `serve` answered has counted its own time.
    if (model.task.serve === undefined || request.ran.every((one) => 'outputs' in one)) {
      ride.timing.finishMs = finishMs;
      ride.stages?.add('finish', startMs, endMs);
      this.#metrics.finishSeconds.observe({ model: model.name }, finishMs / 1000);
    }
    return answer;
  }

  /** The results of the items, finished on this thread. */
  async results(model: ServedModel, ran: readonly Ran[]): Promise<ItemResult[]> {
    const results: ItemResult[] = [];
    for (const one of ran) results.push(await resultOf(model, one));
    this.#count(
      model,
      results.map((result) => (result.ok ? 'ok' : result.error.code)),
    );
    return results;
  }

  async #answerHere(request: RanRequest): Promise<Answer> {
    const { operation, model, head, ran, options } = request;
    const results = await this.results(model, ran);
    const answer = operation.encode(results, options, head);
    this.#tellFaults(
      request,
      results.flatMap((result) => (result.ok ? [] : [result.error])),
    );
    return answer;
  }

  async #answerOnPool(request: RanRequest, ride: Ride): Promise<Answer> {
    const { operation, model, head, ran, options, luggage } = request;
    const results = await packed(ran, luggage !== undefined);
    const { answer, failed, fault } = await this.#cpu.run<'encode'>(
      {
        kind: 'encode',
        of: 'items',
        operation: operation.name,
        source: model.taskSource,
        head,
        results,
        options,
        luggage,
      },
      limitsOf(ride),
    );
    const errors = ran.flatMap((one) => ('error' in one ? [one.error] : []));
    const fine = Array.from({ length: ran.length - errors.length - failed.length }, () => 'ok' as const);
    this.#count(model, [...errors.map(({ code }) => code), ...failed, ...fine]);
    if ('code' in answer) throw errorOf(answer);
    this.#tellFaults(request, fault === undefined ? errors : [errorOf(fault), ...errors]);
    return answer;
  }

  /** The answer says INTERNAL of single items, and the log what that was: of the first, as many mostly fail alike. */
  #tellFaults({ head, model }: RanRequest, errors: readonly ServerError[]): void {
    const first = errors.find(({ code }) => code === 'INTERNAL');
    if (first === undefined) return;
    const err = first.cause ?? first;
    this.#log.error({ requestId: head.id, model: model.name, err }, 'items failed');
  }

  #count({ name }: ServedModel, all: readonly ('ok' | ErrorCode)[]): void {
    const outcomes = new Map<string, number>();
    for (const outcome of all) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    for (const [outcome, count] of outcomes) this.#metrics.items.inc({ model: name, outcome }, count);
  }
}

async function resultOf({ task }: ServedModel, ran: Ran): Promise<ItemResult> {
  if ('error' in ran) return { ok: false, error: ran.error };
  if ('reply' in ran) return { ok: true, reply: ran.reply };
  return finishItem(task, ran.outputs, ran.memo);
}

function isLight({ model, ran }: RanRequest): boolean {
  let bytes = 0;
  for (const one of ran) {
    if (!('outputs' in one)) continue;
    if (!model.task.isLightReply(one.bytes)) return false;
    bytes += one.bytes;
  }
  return ran.length === 1 || bytes <= LIGHT_OUTPUT_BYTES;
}

/** Outputs are rows of a batch's one buffer: each is copied on its way. */
async function packed(ran: readonly Ran[], isWithoutMemos: boolean): Promise<Parcel<RanItem>> {
  const bare = ({ outputs, memo }: RanOutputs): RanItem => (isWithoutMemos ? { outputs } : { outputs, memo });
  const plain = ran.map((one): RanItem => {
    if ('error' in one) return { error: plainError(one.error) };
    return 'reply' in one ? one : bare(one);
  });
  if (isLong(plain.length)) return { chunks: await packChunks(plain) };
  return { values: plain.map((one) => ('outputs' in one ? { ...one, outputs: ownOutputs(one.outputs) } : one)) };
}
