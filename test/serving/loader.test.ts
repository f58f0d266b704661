import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import type { ModelSource } from '../../src/repository/source.ts';
import type { ServedModel } from '../../src/serving/served-model.ts';
import type { Signature } from '../../src/tensors/tensor.ts';
import { specOf, TABLE, TABLE_SIGNATURE, writeModel } from '../onnx/models.ts';
import { createGate } from '../repository/fixtures.ts';
import { writeFiles } from '../tasks/text/encoder-bench.ts';
import { TINY_TOKENIZER } from '../tasks/text/tiny-encoder.ts';
import { LoadingRig, outcomeOf, sourceOf } from './loading-rig.ts';

const LANES = [0, 1, 2];
const ENCODER_SIGNATURE: Signature = {
  inputs: [{ name: 'input_ids', datatype: 'INT32', shape: [-1, -1], batchAxis: 0 }],
  outputs: [{ name: 'result', datatype: 'FP32', shape: [-1, 4], batchAxis: 0 }],
  batchable: true,
};
const ON_CPU = { devices: ['cpu'] };

/** Requests that one load sends to three lanes: a load and a warm-up each. */
async function countRequests(): Promise<number> {
  const rig = await new LoadingRig().start(LANES.length);
  await rig.loader.load(sourceOf('m'));
  return rig.requests;
}

test('whichever lane dies at whichever step of a load, the model is loaded on all of them, and once', async () => {
  const steps = await countRequests();
  assert.equal(steps, 2 * LANES.length);
  for (let step = 0; step < steps; step += 1)
    for (const lane of LANES) {
      const rig = await new LoadingRig().start(LANES.length);
      rig.onRequest = (number) => {
        if (number === step) rig.kill(lane);
      };
      const model = await rig.loader.load(sourceOf('m'));
      await rig.checkServed([model], LANES);
      await rig.loader.unload(model);
      await rig.checkServed([], LANES);
    }
});

test('so is a model with a program, whose graph the first lane is told of and the core takes tensors for', async (t) => {
  const encoder = await encoderSource(t);
  const { steps } = await loadEncoder(encoder);
  assert.equal(steps, 2 * LANES.length + 1);
  for (let step = 0; step < steps; step += 1) for (const lane of LANES) await loadEncoder(encoder, { step, lane });
});

test('the log says why a model is not warmed: its graph has no input to run on, or its program makes no run', async (t) => {
  const reasons: [string, ModelSource, RegExp][] = [
    ['graph', sourceOf('m'), /not warmed: no made-up input runs; give an example in model\.json/],
    ['program', await encoderSource(t), /not warmed: its program makes no run before the first request/],
  ];
  for (const [kind, source, reason] of reasons) {
    const rig = await new LoadingRig().start(1);
    rig.warmRuns = [];
    if (kind === 'program') rig.loadAnswer = { ok: true, signature: ENCODER_SIGNATURE, graph: TABLE_SIGNATURE };
    await rig.loader.load(source);
    assert.match(rig.logged.join(''), reason);
  }
});

/** A text encoder, which runs by a program. */
async function encoderSource(t: TestContext): Promise<ModelSource> {
  const { folder, files } = await writeFiles(t, {
    tokenizer: { name: 'tokenizer.json', content: TINY_TOKENIZER },
    config: { name: 'config.json', content: { max_position_embeddings: 32, pad_token_id: 0 } },
  });
  return { ...sourceOf('m', { task: 'embeddings' }), task: 'embeddings', folder, files };
}

async function loadEncoder(source: ModelSource, death?: { step: number; lane: number }): Promise<{ steps: number }> {
  const rig = await new LoadingRig().start(LANES.length);
  rig.loadAnswer = { ok: true, signature: ENCODER_SIGNATURE, graph: TABLE_SIGNATURE };
  rig.onRequest = (number) => {
    if (death !== undefined && number === death.step) rig.kill(death.lane);
  };
  const model = await rig.loader.load(source);
  const steps = rig.requests;
  await rig.checkServed([model], LANES);
  const graph = model.graph?.key ?? '';
  assert.deepEqual([rig.core.depth(graph).queueItems, rig.loader.find(graph)], [4 * 64 * LANES.length, model]);
  await rig.loader.unload(model);
  await rig.checkServed([], LANES);
  assert.deepEqual([rig.core.depth(graph).queueItems, rig.loader.find(graph)], [0, undefined]);
  return { steps };
}

test('whichever lane dies at whichever step, a load that fails says why and leaves nothing behind', async () => {
  const steps = await countRequests();
  for (let failing = 0; failing < steps; failing += 1)
    for (let step = 0; step < steps + LANES.length; step += 1)
      for (const lane of LANES) {
        const rig = await new LoadingRig().start(LANES.length);
        const other = await rig.loader.load(sourceOf('other'));
        let asked = 0;
        rig.requests = 0;
        rig.whyNot = (request) =>
          (request.kind === 'load' && request.model.key.startsWith('m/')) ||
          (request.kind === 'warm' && request.key.startsWith('m/'))
            ? ++asked > failing
              ? 'the graph is broken'
              : undefined
            : undefined;
        rig.onRequest = (number) => {
          if (number === step) rig.kill(lane);
        };
        const error = await outcomeOf(rig.loader.load(sourceOf('m')));
        assert.ok(error instanceof Error, `failing at ${failing}, lane ${lane} dead at ${step}`);
        assert.match(error.message, /the graph is broken/);
        await rig.checkServed([other], LANES);
        rig.whyNot = () => undefined;
        rig.onRequest = () => undefined;
        rig.kill(lane);
        await rig.checkServed([other], LANES);
      }
});

test('loads and unloads side by side with dying lanes: what is loaded is on its lanes once, and nothing else is', async () => {
  const step = fc.record({
    what: fc.constantFrom('load', 'load', 'load one lane', 'unload'),
    afterRequests: fc.nat(3),
    which: fc.nat(5),
  });
  const death = fc.record({ lane: fc.constantFrom(...LANES), atRequest: fc.nat(40) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 6 }),
      fc.array(death, { maxLength: 3 }),
      async (steps, deaths) => {
        const rig = await new LoadingRig().start(LANES.length);
        rig.onRequest = (number) => {
          for (const { lane, atRequest } of deaths) if (atRequest === number) rig.kill(lane);
        };
        const loaded: ServedModel[] = [];
        const done: Promise<void>[] = [];
        for (const { what, afterRequests, which } of steps) {
          for (let turn = 0; turn < afterRequests; turn += 1) await setImmediate();
          if (what === 'unload') {
            const [model] = loaded.splice(which % Math.max(1, loaded.length), 1);
            if (model !== undefined) done.push(rig.loader.unload(model));
          } else {
            const load = rig.loader.load(sourceOf('m', what === 'load' ? {} : { lanes: 1 }));
            done.push(
              outcomeOf(load).then((outcome) => {
                if (!(outcome instanceof Error)) loaded.push(outcome);
                // It is tried three times.
                else if (outcome.code !== 'LANE_LOST' || deaths.length < 3) throw outcome;
              }),
            );
          }
        }
        await Promise.all(done);
        await rig.lanes.replaced();
        await rig.lanes.idle();
        for (const id of LANES) {
          const expected = loaded.filter(({ description }) => description.devices.length > 1 || id === 0);
          await rig.checkServed(expected, [id]);
        }
        assert.equal(rig.told.filter((line) => line.startsWith('lost') || line.startsWith('failed')).length, 0);
      },
    ),
    { numRuns: 200 },
  );
});

test('a load that finds a lane being refilled waits for it', async () => {
  const rig = await new LoadingRig().start(2);
  const models = [await rig.loader.load(sourceOf('a')), await rig.loader.load(sourceOf('b'))];
  // If the load did not wait for the refill, it would end first.
  rig.take = (request) =>
    request.kind === 'load' && !request.model.key.startsWith('late') ? sleep(20) : setImmediate();
  rig.kill(0);
  models.push(await rig.loader.load(sourceOf('late')));
  assert.deepEqual(rig.told, ['up 0', 'up 1', 'down 0: killed', 'up 0']);
  await rig.checkServed(models, [0, 1]);
});

test('a model that is unloaded while a lane is refilled with it is not reported as lost', async () => {
  for (let requests = 1; requests <= 3; requests += 1) {
    const rig = await new LoadingRig().start(2);
    const model = await rig.loader.load(sourceOf('m'));
    rig.requests = 0;
    const unloaded = new Promise<void>((resolve) => {
      rig.onRequest = (number) => {
        if (number === requests - 1) resolve(rig.loader.unload(model));
      };
    });
    rig.kill(0);
    await unloaded;
    await rig.checkServed([], [0, 1]);
    assert.deepEqual(rig.told, ['up 0', 'up 1', 'down 0: killed', 'up 0']);
  }
});

test('a model that does not load again on a refilled lane is lost on all lanes, and no other model is', async () => {
  for (const fails of ['load', 'warm'] as const) {
    const rig = await new LoadingRig().start(2);
    const broken = await rig.loader.load(sourceOf('broken'));
    const other = await rig.loader.load(sourceOf('other'));
    rig.whyNot = (request) => {
      const key = request.kind === 'load' ? request.model.key : request.kind === 'warm' ? request.key : '';
      return request.kind === fails && key === broken.key ? 'cut off' : undefined;
    };
    rig.kill(1);
    await rig.lanes.replaced();
    await rig.lanes.idle();
    await rig.checkServed([other], [0, 1]);
    assert.deepEqual(rig.told.slice(2), ['down 1: killed', `lost ${broken.key}: cut off`, 'up 1']);
    await rig.loader.unload(broken);
  }
});

test('a model whose graph has changed is lost when a lane is refilled: lanes do not hold two of one model', async (t) => {
  const rig = await new LoadingRig().start(2);
  const weights = await writeModel(t, TABLE);
  const data = `${weights}_data`;
  await writeFile(data, 'weights');
  const model = await rig.loader.load({ ...sourceOf('m'), weights });
  rig.kill(0);
  await rig.checkServed([model], [0, 1]);
  await writeFile(data, 'other weights');
  rig.kill(0);
  await rig.lanes.replaced();
  await rig.lanes.idle();
  await rig.checkServed([], [0, 1]);
  assert.match(rig.told.at(-2) ?? '', /^lost m\/1#1: its files have changed since it was loaded.*load it again/);
});

test('a lane that dies at every try is reported with the reason', async () => {
  const rig = await new LoadingRig().start(1);
  rig.onRequest = (_, request, thread) => {
    if (request.kind === 'warm') thread.die('out of heap');
  };
  const error = await outcomeOf(rig.loader.load(sourceOf('m')));
  assert.ok(error instanceof Error);
  assert.match(error.message, /a lane died each of the 3 times that it was tried: out of heap/);
  rig.onRequest = () => undefined;
  await rig.checkServed([], [0]);
  assert.deepEqual(rig.forgotten, ['m/1#1', 'm/1#2', 'm/1#3']);
});

test('a lane that dies while it is refilled is refilled again, up to a limit', async () => {
  const rig = await new LoadingRig().start(1);
  const model = await rig.loader.load(sourceOf('m'));
  let deaths = 1;
  rig.onRequest = (_, request, thread) => {
    if (request.kind === 'load' && (deaths += 1) <= 3) thread.die('again');
  };
  rig.kill(0);
  await rig.checkServed([model], [0]);
  assert.deepEqual(rig.told, ['up 0', 'down 0: killed', 'up 0']);
  rig.kill(0);
  await rig.lanes.replaced();
  assert.match(rig.told.at(-1) ?? '', /^failed: lanes died 4 times within a minute: killed/);
});

test('models that ask for the CPU beside a GPU get one lane there, and one that did not start is tried again', async () => {
  const rig = await new LoadingRig().start('cuda');
  rig.whyNot = ({ kind }) => (kind === 'probe' ? 'no thread to be had' : undefined);
  const failures = await Promise.all(['a', 'b'].map((name) => outcomeOf(rig.loader.load(sourceOf(name, ON_CPU)))));
  for (const failure of failures) {
    assert.ok(failure instanceof Error);
    assert.match(failure.message, /cpu does not work: no thread to be had/);
  }
  rig.whyNot = () => undefined;
  const onGpu = await rig.loader.load(sourceOf('gpu'));
  const onCpu = await Promise.all(['a', 'b'].map((name) => rig.loader.load(sourceOf(name, ON_CPU))));
  assert.deepEqual(rig.told, ['up 0', 'up 1']);
  assert.deepEqual(
    [onGpu, ...onCpu].map(({ description }) => description.devices),
    [['cuda:0'], ['cpu'], ['cpu']],
  );
  await rig.checkServed([onGpu], [0]);
  await rig.checkServed(onCpu, [1]);
});

test('a lane whose thread dies at its start is reported with the reason', async () => {
  const rig = new LoadingRig();
  rig.onRequest = (_, __, thread) => thread.die('cannot find the binding');
  await assert.rejects(rig.start(1), /cpu does not work: cannot find the binding/);
});

test('lanes are not idle while one is being replaced, though its thread waits for files', async () => {
  const rig = await new LoadingRig().start(1);
  const model = await rig.loader.load(sourceOf('m'));
  const asked = createGate();
  const files = createGate();
  const checkFiles = () => {
    asked.open();
    return files.opened;
  };
  const spec = specOf('nowhere.onnx', { key: 'slow/1#2' });
  rig.lanes.place({ spec, laneIds: [0], runLimitMs: 1000, checkFiles }, [rig.lanes.thread(0)]);
  rig.kill(0);
  await asked.opened;
  const idle = rig.lanes.idle().then(() => 'idle');
  assert.equal(await Promise.race([idle, setImmediate('replacing')]), 'replacing');
  files.open();
  await idle;
  assert.deepEqual(rig.told, ['up 0', 'down 0: killed', 'up 0']);
  await rig.lanes.unload(spec.key);
  await rig.checkServed([model], [0]);
});
