import assert from 'node:assert/strict';
import type { Admission } from '../../src/core/admission.ts';
import { Core } from '../../src/core/core.ts';
import type { BatchLimits, Outcome } from '../../src/core/ticket.ts';
import { ServerError, type ErrorCode } from '../../src/errors.ts';
import type { Command, CommandOf, Name } from './core-commands.ts';
import { checkBatch, tryEnqueue, type Known } from './known-ticket.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeLane, type FakeRun } from './fake-lane.ts';

interface Held {
  readonly model: Name;
  readonly admission: Admission<Known, Known>;
  items: number;
}

const QUEUE_ITEMS = 24;
/** Short beside the runs, so that their time is often what cuts a batch. */
const RUN_LIMIT_MS = 60;
/** Model b has not all lanes. */
const LANES_OF_B = [0, 1];

/** The simplest description of what a core may do, next to a real one; every step compares the two. */
export class CoreModel {
  runs = 0;
  readonly #clock = new FakeClock();
  readonly #core = new Core<Known, Known>({ clock: this.#clock, defer: this.#clock.defer, agingMs: 20 });
  readonly #limits: Record<Name, BatchLimits>;
  readonly #maxItems: Record<Name, number>;
  readonly #present: Record<Name, 'yes' | 'leaving' | 'no'> = { a: 'no', b: 'no' };
  readonly #tickets: Known[] = [];
  readonly #held: Held[] = [];
  readonly #lanes = new Map<number, FakeLane<Known>>();
  /** Runs that have not ended, those of removed lanes included. */
  readonly #running = new Map<FakeRun<Known>, FakeLane<Known>>();
  /** Lanes whose runs failed as a whole. */
  readonly #asideUntilMs = new Map<FakeLane<Known>, number>();
  readonly #faults: unknown[] = [];
  readonly #lastStarted = new Map<string, number>();

  constructor(limits: Record<Name, BatchLimits>) {
    this.#limits = limits;
    this.#maxItems = { a: limits.a.maxItems, b: limits.b.maxItems };
    this.#addModel('a');
    this.#addModel('b');
    this.#addLane(0);
  }

  async apply(command: Command): Promise<void> {
    await this.#do(command);
    this.#check();
    if (['turn', 'advance', 'finish', 'die'].includes(command.kind)) this.#checkNoIdleLane();
  }

  /** Lets everything end, and checks that everything has. */
  async end(): Promise<void> {
    for (const held of this.#held) this.#release(held, held.items);
    for (const id of LANES_OF_B) this.#addLane(id);
    await this.#advance(10);
    while (this.#running.size > 0) {
      await this.#do({ kind: 'finish', which: 0, outcomes: 'all', maxItems: undefined });
      await this.#advance(10);
      this.#check();
    }
    for (const ticket of this.#tickets) {
      assert.ok(ticket.settled !== undefined, `ticket ${ticket.id} is lost`);
    }
    for (const model of ['a', 'b'] as const) assert.equal(this.#core.depth(model).permits, 0);
    await this.#core.idle();
    this.#check();
    await this.#advance(1000);
    assert.equal(this.#clock.timers, 0);
  }

  async #do(command: Command): Promise<void> {
    switch (command.kind) {
      case 'arrive': {
        this.#arrive(command);
        return;
      }
      case 'hold': {
        this.#hold(command.model, command.items);
        return;
      }
      case 'release': {
        this.#release(this.#held[command.which % this.#held.length], command.items);
        return;
      }
      case 'cancel': {
        this.#cancel(this.#tickets[command.which % this.#tickets.length]);
        return;
      }
      case 'advance':
        return this.#advance(command.ms);
      case 'turn':
        return this.#clock.turn();
      case 'finish':
        this.#finish(command);
        return this.#clock.turn();
      case 'die':
        this.#die(command.which, command.lost);
        return this.#clock.turn();
      case 'addLane': {
        this.#addLane(command.id);
        return;
      }
      case 'removeLane':
        this.#core.removeLane(command.id);
        this.#lanes.delete(command.id);
        return;
      case 'removeModel': {
        this.#removeModel(command.model);
        return;
      }
      case 'addModel': {
        this.#addModel(command.model);
        return;
      }
    }
  }

  async #advance(ms: number): Promise<void> {
    for (const ticket of this.#tickets) {
      if (ticket.deadlineMs <= this.#clock.now() + ms) ticket.expected ??= 'DEADLINE_EXCEEDED';
    }
    await this.#clock.advance(ms);
  }

  #cancel(ticket: Known | undefined): void {
    if (ticket === undefined) return;
    ticket.expected ??= 'CANCELLED';
    ticket.handle?.cancel();
  }

  #hold(model: Name, items: number): void {
    const admission = this.#admit(model, items, { priority: 2, deadlineMs: Infinity });
    if (admission !== undefined) this.#held.push({ model, admission, items });
  }

  #arrive({ model, tickets, shapeKey, priority, timeLimitMs }: CommandOf<'arrive'>): void {
    const items = tickets.reduce((sum, ticket) => sum + ticket.items, 0);
    const deadlineMs = this.#clock.now() + timeLimitMs;
    const admission = this.#admit(model, items, { priority, deadlineMs });
    if (admission === undefined) return;
    for (const { items, cost } of tickets) {
      const ticket: Known = {
        id: this.#tickets.length,
        model,
        items,
        cost,
        shapeKey,
        priority,
        deadlineMs,
        started: false,
      };
      ticket.handle = tryEnqueue(admission, { payload: ticket, items, cost, shapeKey });
      if (ticket.handle === undefined) continue;
      this.#tickets.push(ticket);
      ticket.handle.done.then(
        ({ result, timing }) => {
          this.#try(() => assert.ok(result === ticket && timing.queueMs >= 0 && timing.batchItems >= items));
          this.#settle(ticket, 'result');
        },
        (error: unknown) => {
          this.#settle(ticket, (error as ServerError).code);
        },
      );
    }
    admission.close();
  }

  #admit(
    model: Name,
    items: number,
    rest: { priority: number; deadlineMs: number },
  ): Admission<Known, Known> | undefined {
    const room = QUEUE_ITEMS - this.#core.depth(model).permits;
    try {
      const admission = this.#core.admit({ modelKey: model, items, ...rest });
      assert.ok(this.#present[model] === 'yes' && items <= room);
      return admission;
    } catch (error) {
      assert.ok(error instanceof ServerError, String(error));
      if (this.#present[model] !== 'yes') assert.equal(error.code, 'MODEL_UNAVAILABLE');
      else if (items > room) assert.equal(error.code, 'QUEUE_FULL');
      else assert.equal(error.code, 'WAIT_TOO_LONG');
      return undefined;
    }
  }

  #settle(ticket: Known, how: 'result' | ErrorCode): void {
    this.#try(() => {
      assert.equal(ticket.settled, undefined, 'a ticket settles once');
      assert.equal(how, ticket.expected, `ticket ${ticket.id}`);
    });
    ticket.settled = how;
  }

  /** Keeps a failed assertion for `#check`: thrown here, it would go to the core or to nobody. */
  #try(checks: () => void): void {
    try {
      checks();
    } catch (error) {
      this.#faults.push(error);
    }
  }

  #release(held: Held | undefined, items: number): void {
    if (held === undefined) return;
    held.admission.release(items);
    held.items = Math.max(0, held.items - items);
  }

  #addLane(id: number): void {
    if (this.#lanes.has(id)) return;
    const lane = new FakeLane<Known>(id, (run, self) => {
      this.runs += 1;
      this.#running.set(run, self);
      this.#try(() => this.#started(run, self));
    });
    this.#lanes.set(id, lane);
    this.#core.addLane(lane);
  }

  #addModel(model: Name): void {
    if (this.#present[model] !== 'no') return;
    this.#present[model] = 'yes';
    this.#maxItems[model] = this.#limits[model].maxItems;
    const options = { limits: this.#limits[model], queueItems: QUEUE_ITEMS, runLimitMs: RUN_LIMIT_MS };
    this.#core.addModel(model, model === 'b' ? { ...options, lanes: LANES_OF_B } : options);
  }

  #removeModel(model: Name): void {
    if (this.#present[model] === 'no') return;
    this.#present[model] = 'leaving';
    void this.#core.removeModel(model).then(() => {
      this.#try(() => assert.equal(this.#permits(model), 0, 'a model leaves when all its tickets have settled'));
      this.#present[model] = 'no';
    });
  }

  #started(run: FakeRun<Known>, lane: FakeLane<Known>): void {
    const { payloads } = run;
    const model = run.modelKey as Name;
    assert.equal(this.#lanes.get(lane.id), lane, 'a removed lane gets no batch');
    assert.ok(model === 'a' || LANES_OF_B.includes(lane.id), 'a model runs on its own lanes');
    if (payloads.length > 1)
      assert.ok(
        this.#core.fit(model) !== undefined,
        'the first run of a model is of one ticket: its time is not known',
      );
    checkBatch(payloads, { ...this.#limits[model], maxItems: this.#maxItems[model] }, this.#clock.now());
    for (const ticket of payloads) {
      ticket.started = true;
      const line = `${model} ${ticket.priority} ${ticket.shapeKey}`;
      assert.ok(ticket.id > (this.#lastStarted.get(line) ?? -1), 'order within model, priority and shape');
      this.#lastStarted.set(line, ticket.id);
    }
  }

  #finish({ which, outcomes, maxItems }: CommandOf<'finish'>): void {
    const run = [...this.#running.keys()][which % this.#running.size];
    if (run === undefined) return;
    this.#running.delete(run);
    const all = run.payloads.map((ticket): Outcome<Known> => {
      const bad = outcomes === 'some failed' && ticket.id % 2 === 0;
      ticket.expected ??= bad ? 'INFERENCE_FAILED' : 'result';
      return bad ? { ok: false, error: new ServerError('INFERENCE_FAILED') } : { ok: true, result: ticket };
    });
    if (outcomes === 'some missing') {
      all.pop();
      const last = run.payloads.at(-1);
      if (last?.expected === 'result') last.expected = 'INTERNAL';
    }
    const model = run.modelKey as Name;
    if (maxItems !== undefined) this.#maxItems[model] = Math.max(1, Math.min(this.#maxItems[model], maxItems));
    run.finish({ outcomes: all, ...(maxItems === undefined ? {} : { maxItems }) });
  }

  #die(which: number, lost: boolean): void {
    const entry = [...this.#running][which % this.#running.size];
    if (entry === undefined) return;
    const [run, lane] = entry;
    this.#running.delete(run);
    for (const ticket of run.payloads) ticket.expected ??= lost ? 'LANE_LOST' : 'INTERNAL';
    if (lost && this.#lanes.get(lane.id) === lane) this.#lanes.delete(lane.id);
    if (!lost) this.#asideUntilMs.set(lane, this.#clock.now() + 60_000);
    run.fail(lost ? new ServerError('LANE_LOST') : new Error('detail'));
  }

  #waiting(model: Name): Known[] {
    return this.#tickets.filter((ticket) => ticket.model === model && !ticket.started && ticket.expected === undefined);
  }

  #permits(model: Name): number {
    const running = [...this.#running.keys()].filter((run) => run.modelKey === model).flatMap((run) => run.payloads);
    const parts = [...this.#held.filter((held) => held.model === model), ...running, ...this.#waiting(model)];
    return parts.reduce((sum, { items }) => sum + items, 0);
  }

  #check(): void {
    for (const fault of this.#faults) throw fault;
    for (const model of ['a', 'b'] as const) {
      const { permits, waiting } = this.#core.depth(model);
      assert.equal(permits, this.#permits(model), `permits of ${model}`);
      assert.equal(
        waiting,
        this.#waiting(model).reduce((sum, { items }) => sum + items, 0),
      );
      assert.ok(this.#core.predictedWaitMs(model) >= 0);
    }
  }

  /** A ticket that may run without delay does not wait beside a free lane. */
  #checkNoIdleLane(): void {
    for (const model of ['a', 'b'] as const) {
      if (this.#limits[model].maxDelayMs > 0 || this.#waiting(model).length === 0) continue;
      for (const [id, lane] of this.#lanes) {
        // Its work may be left to others.
        if ((this.#asideUntilMs.get(lane) ?? 0) > this.#clock.now()) continue;
        assert.ok(lane.current !== undefined || (model === 'b' && !LANES_OF_B.includes(id)), `lane ${id} idles`);
      }
    }
  }
}
