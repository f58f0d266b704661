import { z } from 'zod';
import { messageOf } from '../../../errors.ts';

/** Reads parts of a tokenizer.json strictly: types and options that were not compared with the reference are refused by name. */

/** Makes a part from its definition. Throws a plain Error that names what is not supported. */
export type PartReader<Made> = (definition: unknown) => Made;

/** The parts of one kind, by the `type` that tokenizer.json gives them. */
export type PartTable<Made> = Readonly<Record<string, PartReader<Made>>>;

/** A reader of one type's options (`type` itself is left out of `options`). */
export function part<Shape extends z.ZodRawShape, Made>(
  options: Shape,
  make: (options: z.output<z.ZodObject<Shape>>) => Made,
): PartReader<Made> {
  const schema = z.strictObject({ type: z.string().optional(), ...options });
  return (definition) => {
    const read = schema.safeParse(definition);
    if (!read.success) throw new Error(problem(read.error));
    return make(read.data as unknown as z.output<z.ZodObject<Shape>>);
  };
}

/** A part without options. */
export function plainPart<Made>(made: Made): PartReader<Made> {
  return part({}, () => made);
}

/** The part that a definition names; `kind` is for messages, e.g. `normalizer`. */
export function readPart<Made>(table: PartTable<Made>, definition: unknown, kind: string): Made {
  const type = z.looseObject({ type: z.string() }).safeParse(definition).data?.type;
  if (type === undefined) throw new Error(`a ${kind} has no type`);
  const read = Object.hasOwn(table, type) ? table[type] : undefined;
  if (read === undefined) throw new Error(`the ${kind} ${type} is not supported`);
  try {
    return read(definition);
  } catch (error) {
    throw new Error(`the ${kind} ${type}: ${messageOf(error)}`, { cause: error });
  }
}

function problem({ issues: [issue] }: z.ZodError): string {
  if (issue?.code === 'unrecognized_keys') return `the option ${issue.keys.join(', ')} is not supported`;
  return `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`;
}
