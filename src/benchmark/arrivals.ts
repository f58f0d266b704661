import { uniformFloat32 } from 'pure-rand/distribution/uniformFloat32';
import { mersenne } from 'pure-rand/generator/mersenne';
import type { OpenLoop } from './flags.ts';

/** When requests of an open loop are due, in milliseconds from its start, without end: evenly, or as a Poisson process, whose gaps are exponential. */
export function* arrivalsOf({ perSecond, arrivals, seed }: OpenLoop): Generator<number> {
  const gapMs = 1000 / perSecond;
  const generator = mersenne(seed);
  let dueMs = 0;
  for (let count = 0; ; count += 1) {
    if (arrivals === 'constant') dueMs = count * gapMs;
    else dueMs += -Math.log(1 - uniformFloat32(generator)) * gapMs;
    yield dueMs;
  }
}
