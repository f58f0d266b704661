import fc from 'fast-check';

export type Name = 'a' | 'b';

/** One thing that happens to a core; `which` counts round the things that are there. */
export type Command =
  | {
      kind: 'arrive';
      model: Name;
      tickets: { items: number; cost: number }[];
      shapeKey: string;
      priority: number;
      timeLimitMs: number;
    }
  | { kind: 'hold'; model: Name; items: number }
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
  | { kind: 'addLane'; id: number }
  | { kind: 'removeLane'; id: number }
  | { kind: 'removeModel'; model: Name }
  | { kind: 'addModel'; model: Name };

export type CommandOf<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>;

const which = fc.nat(20);
const model = fc.constantFrom('a', 'b');

/** Any command, the frequent ones more often. */
export const commands: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('arrive' as const),
      model,
      tickets: fc.array(fc.record({ items: fc.integer({ min: 1, max: 5 }), cost: fc.nat(12) }), {
        minLength: 1,
        maxLength: 4,
      }),
      shapeKey: fc.constantFrom('x', 'y'),
      priority: fc.integer({ min: 1, max: 3 }),
      timeLimitMs: fc.option(fc.integer({ min: 1, max: 80 }), { nil: Infinity }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('hold' as const), model, items: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('release' as const), which, items: fc.nat(5) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(200) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('turn' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('finish' as const),
      which,
      outcomes: fc.constantFrom('all' as const, 'all' as const, 'some failed' as const, 'some missing' as const),
      maxItems: fc.option(fc.nat(4), { nil: undefined, freq: 10 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('die' as const), which, lost: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('addLane' as const), id: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('removeLane' as const), id: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('removeModel' as const), model }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('addModel' as const), model }) },
);
