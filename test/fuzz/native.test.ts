import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import { decodePredict } from '../../src/dialects/native/request.ts';
import { ServerError } from '../../src/errors.ts';
import { createTask } from '../../src/tasks/registry.ts';
import type { Datatype } from '../../src/tensors/tensor.ts';
import { json, raw, sourceFor, spec } from '../tasks/support.ts';
import { fuzzBudgetMs } from './budget.ts';

/** Until the budget is spent; a failing case is reported with its seed. */
const budget = { numRuns: Number.MAX_SAFE_INTEGER, plugins: [fc.interruptAfterTimeLimit(fuzzBudgetMs())] };

/** Counts what was taken and what was refused with a 4xx: a fuzz test that sees only one of them tests little. */
class Tally {
  #taken = 0;
  #refused = 0;

  async count(work: () => unknown): Promise<void> {
    try {
      await work();
      this.#taken += 1;
    } catch (error) {
      assert.ok(error instanceof ServerError, String(error));
      assert.ok(error.status >= 400 && error.status < 500, error.code);
      this.#refused += 1;
    }
  }

  check(): void {
    assert.ok(this.#taken > 0 && this.#refused > 0, `taken ${this.#taken}, refused ${this.#refused}`);
  }
}

/** A few bytes of a good file changed, cut off or repeated. */
function damaged(good: Uint8Array): fc.Arbitrary<Uint8Array> {
  const at = fc.nat(good.length - 1);
  const change = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), at, value: fc.nat(255) }),
    fc.record({ kind: fc.constant('cut' as const), at, value: fc.nat(64) }),
    fc.record({ kind: fc.constant('repeat' as const), at, value: fc.nat(64) }),
  );
  return fc.array(change, { minLength: 1, maxLength: 6 }).map((changes) => {
    let bytes = Buffer.from(good);
    for (const { kind, at: place, value } of changes) {
      if (kind === 'set' && place < bytes.length) bytes[place] = value;
      const rest = bytes.subarray(kind === 'cut' ? place + value : place);
      const middle = kind === 'repeat' ? bytes.subarray(place, place + value) : Buffer.alloc(0);
      if (kind !== 'set') bytes = Buffer.concat([bytes.subarray(0, place), middle, rest]);
    }
    return new Uint8Array(bytes);
  });
}

const request = Buffer.from(
  '{"items":[{"a":[1,2.5e3,null]},"x\\u00e9\\n",[[true]]],"parameters":{"top_k":3,"__proto__":{}}}',
);
const contentType = fc.oneof(
  fc.constantFrom(undefined, 'application/json', 'text/plain; charset=utf-8', 'a/b+json;;;', ';'),
  fc.string(),
);

test('no body makes the native decoder fail otherwise than with a 4xx', async () => {
  const tally = new Tally();
  const body = fc.oneof(
    damaged(request),
    fc.uint8Array({ maxLength: 64 }),
    fc.json().map((text) => Buffer.from(text)),
  );
  await fc.assert(
    fc.asyncProperty(contentType, body, fc.integer({ min: 1, max: 3 }), (type, bytes, limit) =>
      tally.count(() => decodePredict(bytes, { contentType: type, itemLimit: limit })),
    ),
    budget,
  );
  tally.check();
});

test('no value makes the tensors task fail otherwise than with a 4xx', async () => {
  const tally = new Tally();
  const datatypes: Datatype[] = ['BOOL', 'UINT8', 'INT32', 'INT64', 'UINT64', 'FP16', 'BF16', 'FP32', 'FP64', 'BYTES'];
  const shapes = [[-1], [-1, 2], [2, -1, -1]];
  const tasks = await Promise.all(
    datatypes.flatMap((datatype) =>
      shapes.map((shape) => {
        const one = spec('x', datatype, shape, shape.indexOf(-1));
        const two = spec('sr', datatype, [], null);
        return createTask(sourceFor('tensors', { inputs: [one, two], outputs: [one], batchable: true }));
      }),
    ),
  );
  const leaf = fc.oneof(
    fc.integer(),
    fc.double(),
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    fc.bigInt().map(String),
  );
  const { nested } = fc.letrec<{ nested: unknown }>((tie) => ({
    nested: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('nested'), { maxLength: 3 }), fc.jsonValue()),
  }));
  const value = fc.oneof(nested, fc.record({ x: nested, sr: fc.oneof(leaf, nested) }));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...tasks), value, (task, item) => tally.count(() => task.prepare(json(item)))),
    budget,
  );
  tally.check();
});

test('no damaged image makes the image task fail otherwise than with a 4xx', async () => {
  const tally = new Tally();
  const input = spec('image', 'FP32', [-1, -1, -1, 3]);
  const signature = { inputs: [input], outputs: [spec('out', 'FP32', [-1, -1, -1, 3])], batchable: true };
  const task = await createTask(sourceFor('image-to-image', signature, { options: { maxPixels: 10_000 } }));
  const picture = sharp({ create: { width: 12, height: 9, channels: 3, background: '#3a7' } });
  const files = [
    await picture.clone().png().toBuffer(),
    await picture.clone().withMetadata({ orientation: 6 }).jpeg().toBuffer(),
    await picture.clone().webp().toBuffer(),
  ];
  const bytes = fc.oneof(...files.map(damaged));
  await fc.assert(
    fc.asyncProperty(bytes, fc.boolean(), (image, asJson) =>
      tally.count(() => task.prepare(asJson ? json(Buffer.from(image).toString('base64')) : raw('image/png', image))),
    ),
    budget,
  );
  tally.check();
});
