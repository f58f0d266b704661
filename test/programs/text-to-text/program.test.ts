import assert from 'node:assert/strict';
import { after, afterEach, before, describe, mock, test } from 'node:test';
import type { LaneTicket } from '../../../src/lanes/protocol.ts';
import type { DecoderCache } from '../../../src/programs/encoder-decoder/decoder-cache.ts';
import { openTextToTextParts } from '../../../src/programs/text-to-text/open.ts';
import { TextToTextProgram, type TextToTextParts } from '../../../src/programs/text-to-text/program.ts';
import { createTask } from '../../../src/tasks/registry.ts';
import type { Task } from '../../../src/tasks/task.ts';
import { LANE } from '../../tasks/transcription/support.ts';
import { referenceSource, textToTextSpec, ticketOf, tokensOf } from '../../tasks/text-to-text/support.ts';
import { finish, isMore } from '../stepping.ts';

const SOURCES = [
  { text: 'The house is wonderful.', parameters: { num_beams: 1, max_new_tokens: 24 } },
  { text: 'Dogs', parameters: { num_beams: 3, max_new_tokens: 18 } },
  {
    text: 'Owning a dog is good for you: dogs ask for walks, and walks are healthy.',
    parameters: { num_beams: 1, max_new_tokens: 30 },
  },
  { text: 'A carpool shares a ride.', parameters: { num_beams: 4, max_new_tokens: 12, early_stopping: true } },
  { text: 'cats, cats and cats', parameters: { temperature: 1.2, top_k: 20, seed: 11, max_new_tokens: 20 } },
];

describe('texts of texts on a lane', () => {
  let task: Task;
  let parts: TextToTextParts;
  let program: TextToTextProgram;
  const alone: number[][] = [];
  const ticket = async (id: number): Promise<LaneTicket> => ticketOf(task, id, SOURCES[id] ?? assert.fail());
  const all = (): Promise<LaneTicket[]> => Promise.all(SOURCES.map((_, id) => ticket(id)));

  before(async () => {
    const source = referenceSource('t5', 'text2text-generation');
    task = await createTask(source);
    parts = await openTextToTextParts(await textToTextSpec(source), LANE);
    // By this clock a step takes so long that each has a run of its own.
    let nowMs = 0;
    program = new TextToTextProgram(parts, () => (nowMs += 1000));
    for (const id of SOURCES.keys()) alone.push(tokensOf((await finish(program, [await ticket(id)])).get(id)));
  });
  afterEach(() => {
    mock.restoreAll();
  });
  after(() => program.release());

  /** Lets steps fail: `why` gives the error for the last tokens of the rows. */
  function failSteps(why: (ids: readonly number[]) => string | undefined): void {
    const { decoder } = parts;
    const step = decoder.step.bind(decoder);
    mock.method(decoder, 'step', (ids: readonly number[], cache: DecoderCache) => {
      const error = why(ids);
      return error === undefined ? step(ids, cache) : Promise.reject(new Error(error));
    });
  }

  test('sources of any length together, with and without beams, get the texts that they get alone', async () => {
    assert.equal(new Set(alone.map((tokens) => tokens.join())).size, SOURCES.length);
    const done = await finish(program, await all());
    for (const [id, tokens] of alone.entries()) assert.deepEqual(tokensOf(done.get(id)), tokens);
  });

  test('sources that come while others are written begin soon, and change no other text', async () => {
    const first = [await ticket(0), await ticket(1), await ticket(2)];
    const joined = 4;
    const done = await finish(program, first, { [joined]: await ticket(3), [joined + 1]: await ticket(4) });
    for (const [id, tokens] of alone.entries()) assert.deepEqual(tokensOf(done.get(id)), tokens);
  });

  test('a newcomer does not wait for the end of the texts before', async () => {
    const long = { text: 'dogs', parameters: { num_beams: 1, ignore_eos: true, max_new_tokens: 100 } };
    let live: LaneTicket[] = await Promise.all([5, 6, 7].map((id) => ticketOf(task, id, long)));
    for (let run = 0; run < 3; run += 1) {
      await program.run(live);
      live = live.map(({ id }) => ({ id }));
    }
    const done = await finish(program, [
      ...live,
      await ticketOf(task, 0, { text: 'cats', parameters: { num_beams: 1, max_new_tokens: 3 } }),
    ]);
    assert.ok([...done.keys()].indexOf(0) === 0, 'the short text ends first');
  });

  test('a text may leave at any point, and the others go on', async () => {
    for (const runs of [1, 2, 4]) {
      let live = await all();
      for (let run = 0; run < runs; run += 1) {
        const { outcomes } = await program.run(live);
        live = live.filter((_, index) => isMore(outcomes[index])).map(({ id }) => ({ id }));
      }
      const done = await finish(
        program,
        live.filter(({ id }) => id !== 1),
      );
      for (const id of [0, 2, 3, 4]) assert.deepEqual(tokensOf(done.get(id)), alone[id]);
    }
    const { outcomes } = await program.run([{ id: 1 }]);
    assert.equal(outcomes[0]?.ok === false && outcomes[0].code, 'LANE_LOST');
  });

  test('a text whose step fails ends alone', async () => {
    const poison = alone[0]?.[3] ?? NaN;
    failSteps((ids) =>
      ids.length > 0 && ids.includes(poison) && ids.at(0) === poison ? 'this row is bad' : undefined,
    );
    const done = await finish(program, [await ticket(0)]);
    assert.equal(done.get(0)?.ok, false);
    mock.restoreAll();
    failSteps((ids) => (ids.length > 1 ? 'not together' : undefined));
    const parted = await finish(program, [await ticket(0), await ticket(2), await ticket(4)]);
    for (const id of [0, 2, 4]) assert.deepEqual(tokensOf(parted.get(id)), alone[id]);
  });

  test('a step that does not fit in memory is halved, and steps are smaller from then on', async () => {
    failSteps((ids) => (ids.length > 4 ? 'Failed to allocate memory for requested buffer' : undefined));
    let live = await all();
    let least = Infinity;
    while (live.length > 0) {
      const { outcomes, maxItems } = await program.run(live);
      least = Math.min(least, maxItems ?? Infinity);
      for (const [index, { id }] of live.entries())
        if (!isMore(outcomes[index])) assert.deepEqual(tokensOf(outcomes[index]), alone[id]);
      live = live.filter((_, index) => isMore(outcomes[index])).map(({ id }) => ({ id }));
    }
    assert.ok(least < SOURCES.length);
  });

  test('the warm-up runs, and leaves nothing behind', async () => {
    const limits = { maxItems: 8, maxCost: Infinity };
    const budget = { runMs: 60_000, allMs: 60_000, repeat: true };
    const runs = await program.warm({ sizes: [1, 2, 4], limits, budget });
    assert.deepEqual([...new Set(runs.map(({ shapeKey }) => shapeKey))].sort(), ['join', 'step']);
    const { outcomes } = await program.run([{ id: -1 }]);
    assert.equal(outcomes[0]?.ok, false);
  });
});
