import { ServerError, toServerError } from '../errors.ts';
import type { Batch } from './batcher.ts';
import { timeOf } from './estimator.ts';
import type { FinishedEvent, StartedEvent } from './events.ts';
import { jobsPartOf } from './parties.ts';
import type { QueuedModel, QueuedTicket } from './queued-ticket.ts';
import type { Lane, RunReport, TicketOfRun } from './ticket.ts';

/** A batch on its lane. */
export interface Run<Payload, Result> {
  /** 0 until it is sent to a lane; then it rises by one per run of the core. */
  id: number;
  readonly model: QueuedModel<Payload, Result>;
  readonly batch: Batch<QueuedTicket<Payload, Result>>;
  /** Of the batch, the tickets that had not run before. */
  readonly newcomers: readonly QueuedTicket<Payload, Result>[];
  /** The key under which the estimator books its time. */
  readonly fitKey: string;
  readonly fitCost: number;
  /** Of jobs in its cost. */
  readonly jobsPart: number;
  /** 0 while nothing is known of run times. */
  readonly predictedMs: number;
  /** Of a batch that was sent ahead: the predicted start, until the run before it has ended. */
  startedMs: number;
}

/** A batch as a run that starts at this time, and how long that is predicted to take. */
export function planRun<Payload, Result>(
  model: QueuedModel<Payload, Result>,
  batch: Batch<QueuedTicket<Payload, Result>>,
  startedMs: number,
): Run<Payload, Result> {
  const newcomers = batch.take.filter(({ state }) => state === 'waiting');
  // The steps of a stepping model take about the same time, except those that newcomers join.
  const fitKey = model.stepping ? (newcomers.length > 0 ? 'join' : 'step') : (batch.take[0]?.shapeKey ?? '');
  const fitCost = model.stepping ? batch.items : batch.cost;
  const fit = model.estimator.wallFit(fitKey);
  const predictedMs = fit === undefined ? 0 : timeOf(fit, fitCost);
  return { id: 0, model, batch, newcomers, fitKey, fitCost, jobsPart: jobsPartOf(batch), predictedMs, startedMs };
}

/** Runs tickets on a lane; an error is returned, not thrown. */
export async function runOn<Payload, Result>(
  lane: Lane<Payload, Result>,
  modelKey: string,
  tickets: readonly TicketOfRun<Payload>[],
): Promise<RunReport<Result> | ServerError> {
  try {
    return await lane.run(modelKey, tickets);
  } catch (error) {
    return toServerError(error);
  }
}

/** What the core tells of a run that begins. */
export function startedEvent<Payload, Result>(
  lane: number,
  { id, model, batch, newcomers, startedMs }: Run<Payload, Result>,
): StartedEvent {
  const { items, cost, cut, take } = batch;
  const waitsMs = newcomers.map((ticket) => startedMs - ticket.enqueuedMs);
  return {
    run: id,
    startedMs,
    riders: take,
    modelKey: model.key,
    lane,
    items,
    tickets: take.length,
    cost,
    cut,
    waitsMs,
  };
}

/** What the core tells of a run that has ended. */
export function finishedEvent<Payload, Result>(
  lane: number,
  { id, model, batch, startedMs }: Run<Payload, Result>,
  { wallMs, ending }: { wallMs: number; ending: RunReport<Result> | ServerError },
): FinishedEvent {
  const how = ending instanceof ServerError ? { error: ending } : { report: ending };
  const { items, take, cut } = batch;
  return {
    run: id,
    startedMs,
    riders: take,
    cut,
    modelKey: model.key,
    lane,
    items,
    tickets: take.length,
    wallMs,
    ...how,
  };
}
