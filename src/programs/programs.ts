import type { LaneData } from '../device.ts';
import type { ModelSpec } from '../model-spec.ts';
import type { OpenProgram, Program } from './program.ts';

/** The programs, by `kind`; each is loaded when a model needs it. */
const PROGRAMS: Readonly<Record<string, () => Promise<OpenProgram>>> = {
  graph: async () => (await import('./graph/program.ts')).openGraphProgram,
  'text-encoder': async () => (await import('./text-encoder/program.ts')).openTextEncoder,
  generation: async () => (await import('./generation/open.ts')).openGenerationProgram,
  diffusion: async () => (await import('./diffusion/program.ts')).openDiffusionProgram,
  speech: async () => (await import('./speech/open.ts')).openSpeechProgram,
};

/** Opens a model on this lane: its program, or its graph where it has none. Throws a plain Error saying what is wrong. */
export async function openProgram(spec: ModelSpec, lane: LaneData): Promise<Program> {
  const kind = spec.program?.kind ?? 'graph';
  const load = Object.hasOwn(PROGRAMS, kind) ? PROGRAMS[kind] : undefined;
  if (load === undefined) throw new Error(`there is no program ${kind}`);
  return (await load())(spec, lane);
}
