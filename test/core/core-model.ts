import assert from 'node:assert/strict';
import type { Admission } from '../../src/core/admission.ts';
import { Core } from '../../src/core/core.ts';
import type { BatchLimits } from '../../src/core/ticket.ts';
import { ServerError, type ErrorCode } from '../../src/errors.ts';
import { NAMES, type Command, type CommandOf, type Name, type NewTicket } from './core-commands.ts';
import { FakeClock } from './fake-clock.ts';
import { checkLetGo, itemsOf, type Known } from './known-ticket.ts';
import { LANES_OF_B, LanesModel } from './lanes-model.ts';

interface Held {
  readonly model: Name;
  readonly admission: Admission<Known, Known>;
  readonly deadlineMs: number;
  items: number;
  /** Tickets on its permits. */
  readonly lent: Known[];
}

const QUEUE_ITEMS = 24;
/** Short compared with the runs, so that time is often the limit of a batch. */
const RUN_LIMIT_MS = 60;

/** The simplest description of what a core may do, next to a real one; every step compares the two. */
export class CoreModel {
  readonly lanes: LanesModel;
  readonly #clock = new FakeClock();
  readonly #core = new Core<Known, Known>({ clock: this.#clock, defer: this.#clock.defer, agingMs: 20 });
  readonly #limits: Record<Name, BatchLimits>;
  readonly #maxItems: Record<Name, number>;
  readonly #present: Record<Name, 'yes' | 'leaving' | 'no'> = { a: 'no', b: 'no', s: 'no' };
  readonly #tickets: Known[] = [];
  readonly #held: Held[] = [];
  readonly #faults: unknown[] = [];

  constructor(limits: Record<Name, BatchLimits>) {
    this.#limits = limits;
    this.#maxItems = { a: limits.a.maxItems, b: limits.b.maxItems, s: limits.s.maxItems };
    this.lanes = new LanesModel({
      now: () => this.#clock.now(),
      limits: (model) => ({ ...this.#limits[model], maxItems: this.#maxItems[model] }),
      knowsRuns: (model) => this.#core.fit(model) !== undefined,
      check: (checks) => this.#try(checks),
    });
    for (const model of NAMES) this.#addModel(model);
    this.#addLane(0);
  }

  async apply(command: Command): Promise<void> {
    await this.#do(command);
    this.#check();
    if (['turn', 'advance', 'finish', 'die'].includes(command.kind))
      this.lanes.checkNoIdleLane((model) => this.#waiting(model), NAMES);
  }

  /** Lets everything end, and checks that everything has. */
  async end(): Promise<void> {
    for (const id of LANES_OF_B) this.#addLane(id);
    await this.#advance(10);
    while (this.lanes.isBusy) {
      await this.#do({ kind: 'finish', which: 0, outcomes: 'all', maxItems: undefined });
      await this.#advance(10);
      this.#check();
    }
    for (const held of this.#held) this.#release(held, held.items);
    for (const ticket of this.#tickets) assert.ok(ticket.settled !== undefined, `ticket ${ticket.id} is lost`);
    for (const model of NAMES) assert.equal(this.#core.depth(model).permits, 0);
    await this.#core.idle();
    this.#check();
    this.lanes.checkNothingHeld('s');
    await this.#advance(1000);
    assert.equal(this.#clock.timers, 0);
  }

  async #do(command: Command): Promise<void> {
    if (command.kind === 'advance') return this.#advance(command.ms);
    if (command.kind === 'finish') this.#finish(command);
    else if (command.kind === 'die') this.lanes.die(command);
    else if (command.kind !== 'turn') {
      this.#doAtOnce(command);
      return;
    }
    return this.#clock.turn();
  }

  #doAtOnce(command: Exclude<Command, { kind: 'finish' | 'die' | 'advance' | 'turn' }>): void {
    switch (command.kind) {
      case 'arrive':
        this.#arrive(command);
        return;
      case 'hold':
        this.#hold(command);
        return;
      case 'lend':
        this.#lend(this.#held[command.which % this.#held.length], command.ticket);
        return;
      case 'release':
        this.#release(this.#held[command.which % this.#held.length], command.items);
        return;
      case 'cancel':
        this.#cancel(this.#tickets[command.which % this.#tickets.length]);
        return;
      case 'late':
        for (const ticket of this.lanes.runOf(command.id)) ticket.expected ??= 'RUN_TOO_LONG';
        this.#core.failRun(command.id, new ServerError('RUN_TOO_LONG'));
        return;
      case 'addLane':
        this.#addLane(command.id);
        return;
      case 'removeLane':
        this.lanes.remove(command.id);
        this.#core.removeLane(command.id);
        return;
      case 'removeModel':
        this.#removeModel(command.model);
        return;
      case 'addModel':
        this.#addModel(command.model);
        return;
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

  #hold({ model, items, timeLimitMs }: CommandOf<'hold'>): void {
    const deadlineMs = this.#clock.now() + timeLimitMs;
    const admission = this.#admit(model, items, { priority: 2, deadlineMs });
    if (admission !== undefined) this.#held.push({ model, admission, deadlineMs, items, lent: [] });
  }

  /** A request holds as many permits as it has such tickets at a time. */
  #lend(held: Held | undefined, ticket: NewTicket): void {
    if (held === undefined || itemsOf(openOf(held)) + ticket.items > held.items) return;
    const { model, deadlineMs, admission } = held;
    if (deadlineMs <= this.#clock.now()) return;
    const known = this.#known({ ...ticket, model, shapeKey: 'x', priority: 2, deadlineMs, lent: true });
    if (this.#enqueue(known, () => admission.lend(this.#item(known)))) held.lent.push(known);
  }

  #arrive({ model, tickets, shapeKey, priority, timeLimitMs }: CommandOf<'arrive'>): void {
    const deadlineMs = this.#clock.now() + timeLimitMs;
    const admission = this.#admit(model, itemsOf(tickets), { priority, deadlineMs });
    if (admission === undefined) return;
    for (const ticket of tickets) {
      const known = this.#known({ ...ticket, model, shapeKey, priority, deadlineMs, lent: false });
      this.#enqueue(known, () => admission.enqueue(this.#item(known)));
    }
    admission.close();
  }

  #known(ticket: Omit<Known, 'id' | 'started' | 'ended' | 'progress'>): Known {
    return { ...ticket, id: this.#tickets.length, started: 0, ended: 0, progress: 0 };
  }

  #item(ticket: Known) {
    const { items, cost, shapeKey } = ticket;
    const onProgress = (step: unknown): void => {
      this.#try(() => {
        assert.deepEqual([step, ticket.settled], [ticket.progress + 1, undefined], 'progress comes in order');
      });
      ticket.progress += 1;
    };
    return { payload: ticket, items, cost, shapeKey, onProgress };
  }

  /** False where a run of the ticket would take too long. */
  #enqueue(ticket: Known, enqueue: () => NonNullable<Known['handle']>): boolean {
    try {
      ticket.handle = enqueue();
    } catch (error) {
      assert.ok(error instanceof ServerError && error.code === 'TOO_LARGE', String(error));
      return false;
    }
    this.#tickets.push(ticket);
    ticket.handle.done.then(
      ({ result, timing }) => {
        this.#try(() => {
          assert.ok(result === ticket && timing.queueMs >= 0 && timing.batchItems >= ticket.items);
          assert.equal(
            ticket.progress,
            ticket.model === 's' ? ticket.steps - 1 : 0,
            'all progress comes before the result',
          );
        });
        this.#settle(ticket, 'result');
      },
      (error: unknown) => this.#settle(ticket, (error as ServerError).code),
    );
    return true;
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
    const isEarly = how === 'WAIT_TOO_LONG' && (ticket.expected ?? 'DEADLINE_EXCEEDED') === 'DEADLINE_EXCEEDED';
    if (isEarly && this.#isHopeless(ticket)) ticket.expected = how;
    this.#try(() => {
      assert.equal(ticket.settled, undefined, 'a ticket settles once');
      assert.equal(how, ticket.expected, `ticket ${ticket.id}`);
    });
    ticket.settled = how;
  }

  /** It waits, and even alone it would end too late: the core may settle it before its deadline. */
  #isHopeless({ model, shapeKey, cost, deadlineMs, started }: Known): boolean {
    const fit = this.#core.fit(model, shapeKey);
    // With its last ticket a model that is being removed leaves, and what was known of its runs.
    const runMs = fit === undefined ? (this.#present[model] === 'yes' ? 0 : Infinity) : fit.a * cost + fit.b;
    return model !== 's' && started === 0 && deadlineMs < Infinity && this.#clock.now() + runMs > deadlineMs;
  }

  /** Keeps a failed assertion for `#check`: thrown here, it would go to the core or be lost. */
  #try(checks: () => void): void {
    try {
      checks();
    } catch (error) {
      this.#faults.push(error);
    }
  }

  /** Permits that tickets run on stay. */
  #release(held: Held | undefined, items: number): void {
    if (held === undefined) return;
    const released = Math.min(items, held.items - itemsOf(openOf(held)));
    held.admission.release(released);
    held.items -= released;
  }

  #finish(command: CommandOf<'finish'>): void {
    const finished = this.lanes.finish(command);
    if (finished?.maxItems === undefined) return;
    const { model, maxItems } = finished;
    this.#maxItems[model] = Math.max(1, Math.min(this.#maxItems[model], maxItems));
  }

  #addLane(id: number): void {
    const lane = this.lanes.add(id);
    if (lane !== undefined) this.#core.addLane(lane);
  }

  #addModel(model: Name): void {
    if (this.#present[model] !== 'no') return;
    this.#present[model] = 'yes';
    this.#maxItems[model] = this.#limits[model].maxItems;
    const options = { limits: this.#limits[model], queueItems: QUEUE_ITEMS, runLimitMs: RUN_LIMIT_MS };
    const own = { a: {}, b: { lanes: LANES_OF_B }, s: { stepping: true } }[model];
    this.#core.addModel(model, { ...options, ...own });
  }

  #removeModel(model: Name): void {
    if (this.#present[model] === 'no') return;
    this.#present[model] = 'leaving';
    void this.#core.removeModel(model).then(() => {
      this.#try(() => assert.equal(this.#permits(model), 0, 'a model leaves when all its tickets have settled'));
      this.#present[model] = 'no';
    });
  }

  #waiting(model: Name): Known[] {
    return this.#tickets.filter(
      (ticket) => ticket.model === model && ticket.started === 0 && ticket.expected === undefined,
    );
  }

  #permits(model: Name): number {
    const own = [...this.lanes.onLanes(model), ...this.#waiting(model)].filter(({ lent }) => !lent);
    return itemsOf(own) + itemsOf(this.#held.filter((held) => held.model === model));
  }

  #check(): void {
    for (const fault of this.#faults) throw fault;
    for (const model of NAMES) {
      const { permits, waiting, running } = this.#core.depth(model);
      assert.equal(permits, this.#permits(model), `permits of ${model}`);
      assert.equal(waiting, itemsOf(this.#waiting(model)));
      if (this.#present[model] !== 'no')
        assert.equal(running, itemsOf(this.lanes.onLanes(model)), `on lanes of ${model}`);
      assert.ok(this.#core.predictedWaitMs(model) >= 0);
    }
    for (const ticket of this.#tickets) checkLetGo(ticket);
  }
}

function openOf({ lent }: Held): Known[] {
  return lent.filter(({ expected }) => expected === undefined);
}
