import { systemClock } from '../core/clock.ts';
import { CUDA_ARGS, GPU_ARGS, parseCuda, parseGpu } from '../salad/gpu.ts';
import { runChecks, startChecks } from '../salad/start-checks.ts';
import { openStorage } from '../storage/open.ts';
import { ok, problem, warning, type Found, type Patient } from './finding.ts';

/** The checks of a node that NODE_* options ask for, each tried once. */
export async function checkNodeOptions({ config, machine: { run } }: Patient): Promise<Found[]> {
  const checks = startChecks(config, {
    clock: systemClock,
    openStorage: () => openStorage(config),
    gpu: async () => parseGpu(await run('nvidia-smi', GPU_ARGS)),
    cuda: async () => parseCuda(await run('nvidia-smi', CUDA_ARGS)),
  });
  const signal = AbortSignal.timeout(config.NODE_CHECK_LIMIT_MS);
  const results = await runChecks(checks, { clock: systemClock, attempts: 1, pauseMs: 0, signal });
  const cure = 'take another node, or another limit: docs/salad.md describes NODE_*';
  return results.map(({ name, outcome, detail }) => {
    const text = `${name}: ${detail}`;
    if (outcome === 'passed') return ok(text);
    return outcome === 'failed' ? problem(text, cure) : warning(text, cure);
  });
}
