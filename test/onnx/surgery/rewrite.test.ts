import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { readFields, type Field, type FileFields, type Range } from '../../../src/onnx/protobuf/fields.ts';
import { Message } from '../../../src/onnx/protobuf/message.ts';
import { accuracyLevel } from '../../../src/onnx/surgery/accuracy-level.ts';
import { rewritten, type Edit } from '../../../src/onnx/surgery/rewrite.ts';
import { tensorsForMaps } from '../../../src/onnx/surgery/zip-map.ts';
import { writeBytes } from '../models.ts';

/** A message as a tree: numbers, texts and messages by field number. */
type Tree = readonly (readonly [number: number, value: number | string | Tree])[];

function messageOf(tree: Tree): Message {
  const message = new Message();
  for (const [number, value] of tree) {
    if (typeof value === 'number') message.integer(number, value);
    else message.field(number, typeof value === 'string' ? value : messageOf(value));
  }
  return message;
}

const TREE: Tree = [
  [1, 8],
  [
    7,
    [
      [1, [[3, 'first']]],
      [
        1,
        [
          [3, 'second'],
          [9, 5],
        ],
      ],
      [2, ''],
      [5, 'x'.repeat(300)],
    ],
  ],
  [8, []],
];

/** The field at the end of a path of places. */
function fieldAt(file: FileFields, places: readonly number[]): Field {
  let range: Range = file.whole;
  let found: Field | undefined;
  for (const place of places) {
    found = [...file.fields(range)][place];
    if (found === undefined) throw new Error('there is no such field');
    range = found;
  }
  if (found === undefined) throw new Error('a path of no places');
  return found;
}

const EDITS: Readonly<Record<string, { readonly edit: Edit; readonly expected: Tree }>> = {
  'a field replaced by several': {
    edit: (file, changes) =>
      changes.replace(
        fieldAt(file, [0]),
        messageOf([
          [1, 300],
          [2, 'made here'],
        ]),
      ),
    expected: [[1, 300], [2, 'made here'], ...TREE.slice(1)],
  },
  'the first and the last field of a message dropped': {
    edit(file, changes) {
      for (const place of [0, 3]) changes.drop(fieldAt(file, [1, place]));
    },
    expected: [
      [1, 8],
      [
        7,
        [
          [
            1,
            [
              [3, 'second'],
              [9, 5],
            ],
          ],
          [2, ''],
        ],
      ],
      [8, []],
    ],
  },
  'a number two messages down, which makes both longer': {
    edit: (file, changes) => changes.replace(fieldAt(file, [1, 1, 1]), messageOf([[9, 2 ** 40]])),
    expected: [
      [1, 8],
      [
        7,
        [
          [1, [[3, 'first']]],
          [
            1,
            [
              [3, 'second'],
              [9, 2 ** 40],
            ],
          ],
          [2, ''],
          [5, 'x'.repeat(300)],
        ],
      ],
      [8, []],
    ],
  },
  'fields added to messages, one of them empty, by two edits': {
    edit(file, changes) {
      changes.add(fieldAt(file, [1]), messageOf([[12, 'one']]));
      changes.add(fieldAt(file, [1]), messageOf([[12, 'two']]));
      changes.add(fieldAt(file, [2]), messageOf([[1, 'domain']]));
      changes.add(file.whole, messageOf([[14, 'last']]));
    },
    expected: [
      [1, 8],
      [
        7,
        [
          [1, [[3, 'first']]],
          [
            1,
            [
              [3, 'second'],
              [9, 5],
            ],
          ],
          [2, ''],
          [5, 'x'.repeat(300)],
          [12, 'one'],
          [12, 'two'],
        ],
      ],
      [8, [[1, 'domain']]],
      [14, 'last'],
    ],
  },
};

for (const [what, { edit, expected }] of Object.entries(EDITS))
  test(`rewrites ${what}`, async (t) => {
    const file = await writeBytes(t, messageOf(TREE).finish());
    assert.deepEqual(rewritten(file, [edit]), messageOf(expected).finish());
  });

test('a file that no edit changes is not read whole', async (t) => {
  const file = await writeBytes(t, messageOf(TREE).finish());
  assert.equal(rewritten(file, [tensorsForMaps]), undefined);
});

test('edits throw a plain Error on bytes that are no model, and never hang', async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-rewrite-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'model.onnx');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      writeFileSync(file, bytes);
      for (const edit of [tensorsForMaps, accuracyLevel(4)])
        try {
          rewritten(file, [edit]);
        } catch (error) {
          assert.match(
            (error as Error).message,
            /not a protobuf message|longer than any name|ends early|accuracyLevel/,
          );
        }
    }),
    { numRuns: 1000 },
  );
});

test('the bytes can be given back at once', async (t) => {
  const file = await writeBytes(t, messageOf(TREE).finish());
  const bytes = rewritten(file, [(fields, changes) => changes.drop(fieldAt(fields, [0]))]);
  bytes?.buffer.resize(0);
  assert.equal(bytes?.byteLength, 0);
  assert.equal(
    readFields(file, ({ sizeBytes }) => sizeBytes),
    messageOf(TREE).finish().byteLength,
  );
});
