import fc from 'fast-check';

/** Models a and b run a ticket once; s steps. */
export type Name = 'a' | 'b' | 's';
export const NAMES: readonly Name[] = ['a', 'b', 's'];

export interface NewTicket {
  readonly items: number;
  readonly cost: number;
  /** Runs it takes, of a stepping model. */
  readonly steps: number;
}

/** One thing that happens to a core; `which` chooses among the things that are there. */
export type Command =
  | {
      kind: 'arrive';
      model: Name;
      tickets: NewTicket[];
      shapeKey: string;
      priority: number;
      timeLimitMs: number;
    }
  | { kind: 'hold'; model: Name; items: number; timeLimitMs: number }
  /** A ticket on permits that stay with their request. */
  | { kind: 'lend'; which: number; ticket: NewTicket }
  | { kind: 'release'; which: number; items: number }
  | { kind: 'cancel'; which: number }
  | { kind: 'advance'; ms: number }
  | { kind: 'turn' }
  | {
      kind: 'finish';
      which: number;
      outcomes: 'all' | 'some failed' | 'some missing';
      maxItems: number | undefined;
    }
  | { kind: 'die'; which: number; lost: boolean }
  /** A run has passed its limit. */
  | { kind: 'late'; id: number }
  | { kind: 'addLane'; id: number }
  | { kind: 'removeLane'; id: number }
  | { kind: 'removeModel'; model: Name }
  | { kind: 'addModel'; model: Name };

export type CommandOf<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>;

const which = fc.nat(20);
const model = fc.constantFrom(...NAMES);
const timeLimitMs = fc.option(fc.integer({ min: 1, max: 80 }), { nil: Infinity });
const ticket = fc.record({
  items: fc.integer({ min: 1, max: 5 }),
  cost: fc.nat(12),
  steps: fc.integer({ min: 1, max: 4 }),
});

function command<Kind extends Command['kind'], Rest extends object>(
  kind: Kind,
  rest: { [Key in keyof Rest]: fc.Arbitrary<Rest[Key]> },
): fc.Arbitrary<{ kind: Kind } & Rest> {
  return fc.record(rest).map((values) => ({ kind, ...(values as Rest) }));
}

/** Any command, the frequent ones more often. */
export const commands: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: command('arrive', {
      model,
      tickets: fc.array(ticket, { minLength: 1, maxLength: 4 }),
      shapeKey: fc.constantFrom('x', 'y'),
      priority: fc.integer({ min: 1, max: 3 }),
      timeLimitMs,
    }),
  },
  { weight: 2, arbitrary: command('hold', { model, items: fc.integer({ min: 1, max: 4 }), timeLimitMs }) },
  { weight: 3, arbitrary: command('lend', { which, ticket }) },
  { weight: 1, arbitrary: command('release', { which, items: fc.nat(5) }) },
  { weight: 3, arbitrary: command('cancel', { which: fc.nat(200) }) },
  { weight: 4, arbitrary: command('advance', { ms: fc.nat(30) }) },
  { weight: 2, arbitrary: command('turn', {}) },
  {
    weight: 9,
    arbitrary: command('finish', {
      which,
      outcomes: fc.constantFrom('all' as const, 'all' as const, 'some failed' as const, 'some missing' as const),
      maxItems: fc.option(fc.nat(4), { nil: undefined, freq: 10 }),
    }),
  },
  { weight: 1, arbitrary: command('die', { which, lost: fc.boolean() }) },
  { weight: 1, arbitrary: command('late', { id: fc.nat(2) }) },
  { weight: 1, arbitrary: command('addLane', { id: fc.nat(2) }) },
  { weight: 1, arbitrary: command('removeLane', { id: fc.nat(2) }) },
  { weight: 1, arbitrary: command('removeModel', { model }) },
  { weight: 1, arbitrary: command('addModel', { model }) },
);
