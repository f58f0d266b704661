import type { LaneData } from '../device.ts';
import type { ModelSpec } from '../model-spec.ts';
import type { ProgramKind } from '../tasks/task.ts';
import type { OpenProgram, Program } from './program.ts';

/** The programs, by kind; each is loaded when a model needs it. */
const PROGRAMS: Readonly<Record<ProgramKind | 'graph', () => Promise<OpenProgram>>> = {
  graph: async () => (await import('./graph/program.ts')).openGraphProgram,
  'text-encoder': async () => (await import('./text-encoder/program.ts')).openTextEncoder,
  generation: async () => (await import('./generation/open.ts')).openGenerationProgram,
  diffusion: async () => (await import('./diffusion/program.ts')).openDiffusionProgram,
  ctc: async () => (await import('./ctc/open.ts')).openCtcProgram,
  speech: async () => (await import('./speech/open.ts')).openSpeechProgram,
  'image-text': async () => (await import('./image-text/open.ts')).openImageTextProgram,
  'text-to-text': async () => (await import('./text-to-text/open.ts')).openTextToTextProgram,
};

/** Opens a model on this lane: its program, or its graph where it has none. Throws a plain Error saying what is wrong. */
export async function openProgram(spec: ModelSpec, lane: LaneData): Promise<Program> {
  const open = await PROGRAMS[spec.program?.kind ?? 'graph']();
  return open(spec, lane);
}
