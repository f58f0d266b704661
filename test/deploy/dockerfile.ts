import path from 'node:path';

/** A reader of Dockerfiles that knows what the tests here need: stages, instructions, COPY, and exec forms. */

export interface Instruction {
  readonly keyword: string;
  readonly text: string;
}
export interface Stage {
  readonly name: string;
  /** An image, or the name of an earlier stage. */
  readonly from: string;
  readonly instructions: readonly Instruction[];
}
export interface Copy {
  /** Name of a stage; undefined: the build context. */
  readonly from: string | undefined;
  readonly sources: readonly string[];
  /** Absolute in the image. */
  readonly destination: string;
}

/** Stages in order, with the defaults of global ARGs put into FROM lines. */
export function parseDockerfile(text: string): Stage[] {
  const globals = new Map<string, string>();
  const stages: { name: string; from: string; instructions: Instruction[] }[] = [];
  for (const { keyword, text: rest } of readInstructions(text)) {
    const current = stages.at(-1);
    if (keyword === 'FROM') {
      const [, image = '', name] = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(rest) ?? [];
      const from = image.replace(/\$\{(\w+)\}/g, (whole, variable: string) => globals.get(variable) ?? whole);
      stages.push({ name: name ?? String(stages.length), from, instructions: [] });
    } else if (current === undefined) {
      const [, variable = '', value = ''] = /^(\w+)=(.*)$/.exec(rest) ?? [];
      globals.set(variable, value);
    } else current.instructions.push({ keyword, text: rest });
  }
  return stages;
}

function readInstructions(text: string): Instruction[] {
  const lines = text.split('\n').filter((line) => !/^\s*(#|$)/.test(line));
  return lines
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => {
      const [, keyword = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      return { keyword: keyword.toUpperCase(), text: rest };
    });
}

/** Texts of all instructions of one keyword. */
export function textsOf(stage: Stage, keyword: string): string[] {
  return stage.instructions.filter((instruction) => instruction.keyword === keyword).map(({ text }) => text);
}

/** The array of an exec form; throws if it is in shell form, which would put a shell between the signals and the process. */
export function execForm(text: string): string[] {
  const parsed: unknown = JSON.parse(text);
  if (!Array.isArray(parsed) || !parsed.every((part) => typeof part === 'string'))
    throw new Error(`not in exec form: ${text}`);
  return parsed;
}

/** The stage and the stages it is built on, first to last. */
export function lineage(stages: readonly Stage[], stage: Stage): Stage[] {
  const parent = stages.find(({ name }) => name === stage.from);
  return parent === undefined ? [stage] : [...lineage(stages, parent), stage];
}

export function workdirOf(stages: readonly Stage[], stage: Stage): string {
  return (
    lineage(stages, stage)
      .flatMap((ancestor) => textsOf(ancestor, 'WORKDIR'))
      .at(-1) ?? '/'
  );
}

/** COPY instructions of this stage alone. */
export function copiesOf(stages: readonly Stage[], stage: Stage): Copy[] {
  return textsOf(stage, 'COPY').map((text) => {
    const words = text.split(/\s+/);
    const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
    const names = words.filter((word) => !word.startsWith('--'));
    return {
      from,
      sources: names.slice(0, -1),
      destination: path.posix.resolve(workdirOf(stages, stage), names.at(-1) ?? ''),
    };
  });
}

/** Values set by ENV in the stage and those it is built on. */
export function environmentOf(stages: readonly Stage[], stage: Stage): Record<string, string> {
  const pairs = lineage(stages, stage)
    .flatMap((ancestor) => textsOf(ancestor, 'ENV'))
    .flatMap((text) => text.split(/\s+/))
    .map((pair): [string, string] => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
  return Object.fromEntries(pairs);
}
