import { FormProblem, type Field, type PickedFile, type Value, type Values } from './types.ts';

/** Reads what somebody has put into a form. */

/** A form as it is before anybody has touched it. */
export function initialValues(fields: readonly Field[]): Values {
  return Object.fromEntries(fields.map((field) => [field.name, field.kind === 'file' ? [] : field.value]));
}

/** The text of a field, or ''. */
export function textOf(values: Values, name: string): string {
  const value = values[name];
  return typeof value === 'string' ? value : '';
}

/** The text of a field that must have one. Throws a FormProblem. */
export function neededText(values: Values, name: string, what: string): string {
  const text = textOf(values, name);
  if (text.trim() === '') throw new FormProblem(name, `${what} is missing.`);
  return text;
}

/** The texts of a list that are not empty. Throws a FormProblem if there are fewer than `least`. */
export function neededTexts(
  values: Values,
  name: string,
  { least = 1, what }: { least?: number; what: string },
): string[] {
  const value = values[name];
  const texts = isTexts(value) ? value.filter((text) => text.trim() !== '') : [];
  if (texts.length < least)
    throw new FormProblem(
      name,
      least === 1 ? `At least one ${what} is needed.` : `At least ${least} ${what}s are needed.`,
    );
  return texts;
}

function isTexts(value: Value | undefined): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

/** The number of a field; undefined if it is empty. Throws a FormProblem. */
export function numberOf(values: Values, name: string): number | undefined {
  const text = textOf(values, name).trim();
  if (text === '') return undefined;
  const number = Number(text);
  if (!Number.isFinite(number)) throw new FormProblem(name, 'This is not a number.');
  return number;
}

export function isOn(values: Values, name: string): boolean {
  return values[name] === true;
}

/** The files of a field. */
export function filesOf(values: Values, name: string): readonly PickedFile[] {
  const value = values[name];
  return Array.isArray(value) ? value.filter((one): one is PickedFile => typeof one === 'object') : [];
}

/** The file of a field that must have one. Throws a FormProblem. */
export function neededFile(values: Values, name: string, what: string): PickedFile {
  const [file] = filesOf(values, name);
  if (file === undefined) throw new FormProblem(name, `Choose ${what} first.`);
  return file;
}

/** The value of a field of JSON; undefined if it is empty. Throws a FormProblem that says where it breaks off. */
export function jsonOf(values: Values, name: string): unknown {
  const text = textOf(values, name);
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FormProblem(name, `This is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** An object without the fields that are undefined. */
export function given<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof given<Fields>
  >;
}

/** Text with commas as a list. */
export function listOf(text: string): string[] {
  return text.split(',').flatMap((one) => (one.trim() === '' ? [] : [one.trim()]));
}
