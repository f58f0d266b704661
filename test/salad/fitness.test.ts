import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../../src/config/read.ts';
import { NodeFitness, UnfitError } from '../../src/salad/fitness.ts';
import { FakeClock } from '../core/fake-clock.ts';
import { Carpool, SHIPPED_MODELS } from '../process/carpool.ts';

const ON_SALAD = { SALAD_MACHINE_ID: 'machine-1' };

function rig(env: Readonly<Record<string, string>>, reallocate: (reason: string) => Promise<void>) {
  const clock = new FakeClock();
  const lines: [string, unknown][] = [];
  const say = (fields: unknown, text: string): void => void lines.push([text, fields]);
  const fitness = new NodeFitness({
    config: readConfig({
      flags: {},
      env: { MODELS_DIR: SHIPPED_MODELS, NODE_MAX_WARM_UP_MS: '100', ...env },
      file: {},
    }),
    clock,
    log: { info: say, warn: say, error: say } as never,
    imds: { reallocate },
    openStorage: (): never => assert.fail('no speed is to be measured'),
  });
  return { clock, fitness, lines, stop: new AbortController() };
}

const REASON = /^carpool: warm_up: models were loaded and warm after 200 ms, at most 100 are wanted$/;

test('on SaladCloud a node that does not do is given up with the reason, and the server ends if nobody ends it', async () => {
  const reasons: string[] = [];
  const { clock, fitness, stop } = rig(ON_SALAD, (reason) => Promise.resolve(void reasons.push(reason)));
  let isOver = false;
  const ends = assert.rejects(fitness.checkWarmUp(200, stop.signal), UnfitError).then(() => (isOver = true));
  await clock.advance(60_000);
  assert.match(reasons.join(), REASON);
  assert.equal(isOver, false);
  await clock.advance(60_000);
  await ends;
});

test('if the reallocation is refused, the exit code tells the platform', async () => {
  const { fitness, stop, lines } = rig(ON_SALAD, () => Promise.reject(new Error('403')));
  await assert.rejects(fitness.checkWarmUp(200, stop.signal), UnfitError);
  assert.ok(lines.some(([text]) => text === 'the reallocation was refused'));
});

test('elsewhere it ends the start, unless it is to serve; a dry run says what would be done', async () => {
  const never = (): Promise<void> => assert.fail('nobody is to be reallocated');
  const exits = rig({}, never);
  await assert.rejects(exits.fitness.checkWarmUp(200, exits.stop.signal), /not fit: warm_up: models were loaded/);
  await exits.fitness.checkWarmUp(99, exits.stop.signal);
  const serves = rig({ ...ON_SALAD, NODE_UNFIT: 'serve' }, never);
  await serves.fitness.checkWarmUp(200, serves.stop.signal);
  const dry = rig({ ...ON_SALAD, NODE_UNFIT: 'dry-run' }, never);
  await dry.fitness.checkWarmUp(200, dry.stop.signal);
  const [, told] = dry.lines.find(([text]) => text.includes('dry-run')) ?? [];
  assert.equal((told as { would: string }).would, 'reallocate');
});

test('while it serves, a node is given up on SaladCloud, and only told of elsewhere', async () => {
  const reasons: string[] = [];
  const reallocate = (reason: string): Promise<void> => Promise.resolve(void reasons.push(reason));
  assert.equal(await rig(ON_SALAD, reallocate).fitness.giveUp('slow'), 'reallocated');
  assert.equal(await rig({}, reallocate).fitness.giveUp('slow'), 'told');
  assert.equal(await rig({ ...ON_SALAD, NODE_UNFIT: 'dry-run' }, reallocate).fitness.giveUp('slow'), 'told');
  assert.deepEqual(reasons, ['slow']);
});

test('a server on a node that does not do ends with 1 and says why', async () => {
  await using server = Carpool.spawn({ MODELS: 'square', NODE_MAX_WARM_UP_MS: '1' });
  assert.equal((await server.exit()).code, 1);
  assert.match(server.stderr, /this node is not fit: warm_up: .* at most 1 are wanted/);
});
