import assert from 'node:assert/strict';
import type { BatchLimits, Outcome, RunReport } from '../../src/core/ticket.ts';
import { ServerError } from '../../src/errors.ts';
import type { CommandOf, Name } from './core-commands.ts';
import { FakeLane, type FakeRun } from './fake-lane.ts';
import { checkNewcomers, checkRunning, type Known } from './known-ticket.ts';

export interface LanesWorld {
  readonly now: () => number;
  readonly limits: (model: Name) => BatchLimits;
  /** Whether anything is known of the model's run times. */
  readonly knowsRuns: (model: Name) => boolean;
  /** Keeps a failed assertion: thrown inside a lane, it would go to the core or be lost. */
  readonly check: (checks: () => void) => void;
}

/** Model b is not on all lanes. */
export const LANES_OF_B: readonly number[] = [0, 1];

/** This lane takes a batch while it runs another. */
const LANE_AHEAD = 0;

/** The lanes of the core's model: which ticket is where, and whether the runs are allowed. */
export class LanesModel {
  /** Runs so far, how many of them went on with tickets of an earlier one, and how many were sent ahead. */
  runs = 0;
  furtherRuns = 0;
  runsAhead = 0;
  readonly lanes = new Map<number, FakeLane<Known>>();
  /** Runs that have not ended, those of removed lanes included. */
  readonly #running = new Map<FakeRun<Known>, FakeLane<Known>>();
  readonly #startedMs = new Map<FakeRun<Known>, number>();
  /** Tickets between two runs. */
  readonly #resting = new Map<Known, FakeLane<Known>>();
  /** Lanes whose runs failed as a whole. */
  readonly #asideUntilMs = new Map<FakeLane<Known>, number>();
  readonly #lastStarted = new Map<string, number>();
  readonly #world: LanesWorld;

  constructor(world: LanesWorld) {
    this.#world = world;
  }

  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  /** On a lane: in a run, whether settled or not, or between two. */
  onLanes(model: Name): Known[] {
    const running = [...this.#running.keys()].filter((run) => run.modelKey === model).flatMap((run) => run.payloads);
    return [...running, ...this.#restingTickets().filter((ticket) => ticket.model === model)];
  }

  /** Makes a lane where there is none of the id. */
  add(id: number): FakeLane<Known> | undefined {
    if (this.lanes.has(id)) return undefined;
    const onRun = (run: FakeRun<Known>, self: FakeLane<Known>): void => {
      this.runs += 1;
      if (self.current !== run) this.runsAhead += 1;
      this.#world.check(() => this.#started(run, self));
      this.#running.set(run, self);
      this.#startedMs.set(run, this.#world.now());
      for (const ticket of run.payloads) {
        this.#resting.delete(ticket);
        ticket.started += 1;
      }
    };
    const lane = new FakeLane<Known>(id, onRun, { takesAhead: id === LANE_AHEAD });
    this.lanes.set(id, lane);
    return lane;
  }

  /** Tickets that rest on it are lost, and so are those of its run that would go on. */
  remove(id: number): void {
    const lane = this.lanes.get(id);
    this.lanes.delete(id);
    for (const [ticket, on] of this.#resting) if (on === lane) ticket.expected ??= 'LANE_LOST';
  }

  /** What a lane runs, if anything. */
  runOf(id: number): readonly Known[] {
    return this.lanes.get(id)?.current?.payloads ?? [];
  }

  /** Ends a run as the command says, and decides how its tickets must settle or go on. */
  finish({
    which,
    outcomes,
    maxItems,
  }: CommandOf<'finish'>): { model: Name; maxItems: number | undefined } | undefined {
    const entry = this.#pick(which);
    if (entry === undefined) return undefined;
    const [run, lane] = entry;
    this.#running.delete(run);
    const all = run.payloads.map((ticket) => this.#outcome(ticket, lane, outcomes));
    if (outcomes === 'some missing') {
      all.pop();
      const last = run.payloads.at(-1);
      if (last !== undefined) {
        this.#resting.delete(last);
        if (
          last.settled === undefined &&
          !['CANCELLED', 'DEADLINE_EXCEEDED', 'RUN_TOO_LONG'].includes(last.expected ?? '')
        )
          last.expected = 'INTERNAL';
      }
    }
    const runMs = this.#world.now() - (this.#startedMs.get(run) ?? 0);
    const learnt = maxItems === undefined ? {} : { maxItems };
    run.finish({ outcomes: all, runMs, ...learnt } satisfies Partial<RunReport<Known>>);
    this.#goOn(lane);
    return { model: run.modelKey as Name, maxItems };
  }

  #outcome(ticket: Known, lane: FakeLane<Known>, outcomes: CommandOf<'finish'>['outcomes']): Outcome<Known> {
    ticket.ended += 1;
    if (outcomes === 'some failed' && ticket.id % 2 === 0) {
      ticket.expected ??= 'INFERENCE_FAILED';
      return { ok: false, error: new ServerError('INFERENCE_FAILED') };
    }
    if (ticket.model === 's' && ticket.ended < ticket.steps) {
      if (this.lanes.get(lane.id) !== lane) ticket.expected ??= 'LANE_LOST';
      else if (ticket.expected === undefined) this.#resting.set(ticket, lane);
      return { ok: true, more: true, progress: ticket.ended };
    }
    ticket.expected ??= 'result';
    return { ok: true, result: ticket };
  }

  /** A run fails as a whole, with or without its lane. */
  die({ which, lost }: CommandOf<'die'>): void {
    const entry = this.#pick(which);
    if (entry === undefined) return;
    const [run, lane] = entry;
    // What was sent ahead is lost with its lane, and is run if only this run failed.
    const failing = lost ? lane.runs : [run];
    for (const each of failing) {
      this.#running.delete(each);
      for (const ticket of each.payloads) ticket.expected ??= lost ? 'LANE_LOST' : 'INTERNAL';
    }
    if (lost && this.lanes.get(lane.id) === lane) this.remove(lane.id);
    if (!lost) this.#asideUntilMs.set(lane, this.#world.now() + 60_000);
    for (const each of failing) each.fail(lost ? new ServerError('LANE_LOST') : new Error('detail'));
    this.#goOn(lane);
  }

  /** The run that was sent ahead begins. */
  #goOn({ current }: FakeLane<Known>): void {
    if (current !== undefined) this.#startedMs.set(current, this.#world.now());
  }

  /** One of the runs that lanes have begun. */
  #pick(which: number): [FakeRun<Known>, FakeLane<Known>] | undefined {
    const begun = [...this.#running].filter(([run, lane]) => lane.current === run);
    return begun[which % begun.length];
  }

  /** No ticket that may run without delay waits while a lane is free, and resting tickets go on. */
  checkNoIdleLane(waiting: (model: Name) => readonly Known[], models: readonly Name[]): void {
    for (const [id, lane] of this.lanes) {
      if (lane.current !== undefined) continue;
      assert.ok(
        !this.#restingTickets().some((ticket) => this.#resting.get(ticket) === lane),
        `work rests on lane ${id}`,
      );
      // Its work may be left to others.
      if ((this.#asideUntilMs.get(lane) ?? 0) > this.#world.now()) continue;
      for (const model of models) {
        if (this.#world.limits(model).maxDelayMs > 0 || (model === 'b' && !LANES_OF_B.includes(id))) continue;
        assert.equal(waiting(model).length, 0, `lane ${id} idles beside work of ${model}`);
      }
    }
  }

  /** No lane keeps the state of a ticket that has left. */
  checkNothingHeld(model: Name): void {
    for (const [id, lane] of this.lanes)
      assert.equal(lane.held(model).length, 0, `lane ${id} still holds tickets of ${model}`);
  }

  #restingTickets(): Known[] {
    return [...this.#resting.keys()].filter(({ expected }) => expected === undefined);
  }

  #started({ modelKey, payloads }: FakeRun<Known>, lane: FakeLane<Known>): void {
    const model = modelKey as Name;
    assert.equal(this.lanes.get(lane.id), lane, 'a removed lane gets no batch');
    assert.ok(model !== 'b' || LANES_OF_B.includes(lane.id), 'a model runs on its own lanes');
    const resting = payloads.filter(({ started }) => started > 0);
    const newcomers = payloads.filter(({ started }) => started === 0);
    if (resting.length > 0) this.furtherRuns += 1;
    for (const ticket of payloads) checkRunning(ticket, this.#world.now());
    for (const ticket of resting) assert.equal(this.#resting.get(ticket), lane, 'it goes on where it rests');
    for (const ticket of this.#restingTickets())
      if (ticket.model === model && this.#resting.get(ticket) === lane)
        assert.ok(resting.includes(ticket), 'all go on');
    const limits = this.#world.limits(model);
    checkNewcomers(newcomers, resting, limits);
    if (model !== 's') {
      assert.ok(payloads.length > 0, 'nothing is told to a model that does not step');
      if (payloads.length > 1)
        assert.ok(this.#world.knowsRuns(model), 'the first run of a model is of one ticket: its time is not known');
    }
    this.#checkOrder(model, newcomers);
  }

  /** Those that step may pass one for whose cost there is no room yet; all may pass one to which its deadline has left too little time. */
  #checkOrder(model: Name, newcomers: readonly Known[]): void {
    const inOrder = model !== 's' || this.#world.limits(model).maxCost === Infinity;
    for (const ticket of newcomers) {
      if (model !== 's' && ticket.deadlineMs < Infinity) continue;
      const line = `${model} ${ticket.priority} ${ticket.shapeKey}`;
      if (inOrder) assert.ok(ticket.id > (this.#lastStarted.get(line) ?? -1), 'order within model, priority and shape');
      this.#lastStarted.set(line, ticket.id);
    }
  }
}
