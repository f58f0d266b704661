import { isObject } from '../json.ts';
import { formatPattern } from './formats.ts';
import { GrammarError } from './grammar-error.ts';
import type { JsonRules, Property } from './json-rules.ts';
import type { Rule } from './network.ts';
import { boundedNumber } from './numbers.ts';
import { readRegex } from './regex.ts';
import { areApart } from './schema-apart.ts';
import { allowOnly, countOf, keywordsOf, numberOf, typesOf, type Schema, type Type } from './schema-keywords.ts';
import { merged } from './schema-merge.ts';

/** Schemas in schemas, references included. */
const MOST_DEPTH = 64;
/** Schemas read together, where some are read again and again because others refer to them. */
const MOST_READ = 20_000;
/** Schemas of a `oneOf`, each of which is compared with each. */
const MOST_APART = 200;
const INT32 = { minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };
/** What OpenAPI says of how numbers are stored. */
const NUMBER_FORMATS = new Set(['int32', 'int64', 'float', 'double']);

/**
 * Writes the rules of JSON Schemas (2020-12 and the like). Properties come in the order of the schema, those that it does not name behind them, and only
 * where it says that there may be some. What cannot be held to throws a GrammarError by name.
 * https://json-schema.org/draft/2020-12
 */
export class SchemaWriter {
  readonly #json: JsonRules;
  readonly #root: unknown;
  readonly #made = new Map<unknown, Rule>();
  #depth = 0;
  #alternativesRead = 0;

  constructor(json: JsonRules, root: unknown) {
    this.#json = json;
    this.#root = root;
  }

  /** The rule of the whole schema. */
  root(): Rule {
    return this.#rule(this.#root, '#');
  }

  #rule(schema: unknown, where: string): Rule {
    if (schema === true) return this.#json.any();
    if (!isObject(schema))
      throw new GrammarError(
        schema === false ? `no value fits "false" (${where})` : `a schema must be an object (${where})`,
      );
    const known = this.#made.get(schema);
    if (known !== undefined) return known;
    const rule = this.#json.builder.rule();
    this.#made.set(schema, rule);
    this.#write(rule, schema, where);
    return rule;
  }

  #write(rule: Rule, schema: Schema, where: string): void {
    this.#depth += 1;
    if (this.#depth > MOST_DEPTH) throw new GrammarError(`it is nested more than ${MOST_DEPTH} deep (${where})`);
    for (const one of this.#alternatives(schema, where)) this.#add(rule, one, where);
    this.#depth -= 1;
  }

  #add(rule: Rule, schema: Schema, where: string): void {
    const add = (one: Rule): void => {
      this.#json.builder.call(rule.start, one, rule.end);
    };
    if (typeof schema['$ref'] === 'string') {
      allowOnly(schema, ['$ref'], where);
      add(this.#rule(this.#target(schema['$ref'], where), schema['$ref']));
      return;
    }
    const types = typesOf(schema, where);
    if (schema['const'] !== undefined || schema['enum'] !== undefined) {
      add(this.#json.constants(constants(schema, types, where)));
      return;
    }
    if (types === undefined) add(this.#json.any());
    else for (const type of types) this.#typed(add, type, { schema, where });
  }

  #typed(add: (rule: Rule) => void, type: Type, { schema, where }: { schema: Schema; where: string }): void {
    const json = this.#json;
    if (type === 'null') add(json.constant(null));
    else if (type === 'boolean') for (const value of [true, false]) add(json.constant(value));
    else if (type === 'string') add(this.#string(schema, where));
    else if (type === 'array') add(this.#array(schema, where));
    else if (type === 'object') add(this.#object(schema, where));
    else add(this.#number(schema, { where, whole: type === 'integer' }));
  }

  #string(schema: Schema, where: string): Rule {
    const least = countOf(schema, 'minLength', where) ?? 0;
    const most = countOf(schema, 'maxLength', where) ?? Infinity;
    if (least > most) throw new GrammarError(`minLength is above maxLength (${where})`);
    const { pattern, format } = schema;
    if (pattern !== undefined && format !== undefined)
      throw new GrammarError(`the keyword "pattern" beside "format" is not supported (${where})`);
    if (typeof pattern === 'string') {
      try {
        return this.#json.stringOf(readRegex(pattern, { whole: false }), { least, most });
      } catch (error) {
        throw error instanceof GrammarError ? new GrammarError(`${error.message} (${where})`) : error;
      }
    }
    if (typeof format === 'string') return this.#json.stringOf(formatPattern(format, where), { least, most });
    if (pattern !== undefined || format !== undefined)
      throw new GrammarError(`pattern and format must be strings (${where})`);
    return this.#json.string({ least, most });
  }

  #number(schema: Schema, { where, whole }: { where: string; whole: boolean }): Rule {
    const { format } = schema;
    if (format !== undefined && !(typeof format === 'string' && NUMBER_FORMATS.has(format)))
      throw new GrammarError(`format ${JSON.stringify(format).slice(0, 64)} of a number is not supported (${where})`);
    const names = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'] as const;
    const bounds = Object.fromEntries(names.map((name) => [name, numberOf(schema, name, where)]));
    if (format === 'int32') {
      bounds['minimum'] = Math.max(INT32.minimum, bounds['minimum'] ?? -Infinity);
      bounds['maximum'] = Math.min(INT32.maximum, bounds['maximum'] ?? Infinity);
    }
    if (names.every((name) => bounds[name] === undefined)) return whole ? this.#json.integer : this.#json.number;
    const pattern = boundedNumber(bounds, { whole });
    if (pattern === undefined) throw new GrammarError(`no number is within the bounds (${where})`);
    return this.#json.plain(pattern);
  }

  #array(schema: Schema, where: string): Rule {
    const least = countOf(schema, 'minItems', where) ?? 0;
    const most = countOf(schema, 'maxItems', where) ?? Infinity;
    if (least > most) throw new GrammarError(`minItems is above maxItems (${where})`);
    const { items, prefixItems = [] } = schema;
    if (!Array.isArray(prefixItems)) throw new GrammarError(`prefixItems must be a list of schemas (${where})`);
    const first = prefixItems.map((one, index) => this.#rule(one, `${where}/prefixItems/${index}`));
    const isOpen = items !== undefined || first.length === 0 || least > first.length;
    const others = !isOpen || items === false ? undefined : this.#rule(items ?? true, `${where}/items`);
    if (others === undefined && least > first.length)
      throw new GrammarError(`minItems is above what there can be (${where})`);
    const rule = this.#json.builder.rule();
    this.#json.arrayInto(rule, { first, others, least, most });
    return rule;
  }

  #object(schema: Schema, where: string): Rule {
    const { properties = {}, required = [], additionalProperties } = schema;
    if (!isObject(properties)) throw new GrammarError(`properties must be an object (${where})`);
    if (!Array.isArray(required) || required.some((name) => typeof name !== 'string'))
      throw new GrammarError(`required must be a list of names (${where})`);
    const isOpen =
      additionalProperties === undefined ? Object.keys(properties).length === 0 : additionalProperties !== false;
    const other = additionalProperties ?? true;
    const unnamed = (required as string[]).filter((name) => !Object.hasOwn(properties, name));
    if (additionalProperties === false && unnamed[0] !== undefined)
      throw new GrammarError(`the required property "${unnamed[0]}" is not among the properties (${where})`);
    const all: Property[] = Object.entries(properties).map(([name, value]) => ({
      name,
      value: this.#rule(value, `${where}/properties/${name}`),
      required: required.includes(name),
    }));
    const others = isOpen || unnamed.length > 0 ? this.#rule(other, `${where}/additionalProperties`) : undefined;
    if (others !== undefined) for (const name of new Set(unnamed)) all.push({ name, value: others, required: true });
    const rule = this.#json.builder.rule();
    this.#json.objectInto(rule, all, isOpen ? others : undefined);
    return rule;
  }

  /** Schemas without anyOf, oneOf and allOf, one of which must hold. */
  #alternatives(given: Schema, where: string, depth = 0): Schema[] {
    this.#alternativesRead += 1;
    if (depth > MOST_DEPTH || this.#alternativesRead > MOST_READ)
      throw new GrammarError(`it has too many schemas within schemas (${where})`);
    const { anyOf, oneOf, allOf, ...own } = keywordsOf(given, where);
    const lists = Object.entries({ anyOf, oneOf, allOf }).filter(([, list]) => list !== undefined);
    for (const [name, list] of lists)
      if (!Array.isArray(list) || list.length === 0)
        throw new GrammarError(`${name} must be a list of schemas (${where})`);
    const beside = Object.keys(own).length > 0 || lists.length > 1;
    const read = (name: string, list: unknown): Schema[][] =>
      (list as unknown[]).map((one, index) => {
        const at = `${where}/${name}/${index}`;
        // Alone, a schema that is referred to stays a rule of its own, which may refer to itself.
        const schema = beside || name === 'allOf' ? this.#resolved(one, at) : toObject(one, at);
        return this.#alternatives(schema, at, depth + 1);
      });
    let all: Schema[] = [own];
    for (const alternatives of allOf === undefined ? [] : read('allOf', allOf)) all = product(all, alternatives, where);
    for (const [name, list] of lists.filter(([one]) => one !== 'allOf')) {
      if (name === 'oneOf') this.#checkApart(list as unknown[], where);
      all = product(all, read(name, list).flat(), where);
    }
    return all;
  }

  /** Throws GrammarError if a value may fit two of the schemas, of which it must fit exactly one. */
  #checkApart(list: readonly unknown[], where: string): void {
    if (list.length > MOST_APART) throw new GrammarError(`"oneOf" has more than ${MOST_APART} schemas (${where})`);
    const all = list.map((one, index) => keywordsOf(this.#resolved(one, `${where}/oneOf/${index}`), where));
    for (const [index, one] of all.entries())
      for (const other of all.slice(index + 1))
        if (!areApart(one, other, (schema) => this.#resolved(schema, where)))
          throw new GrammarError(
            `"oneOf" is supported where no value can fit two of its schemas, by type, constant or a required constant property; use "anyOf" (${where})`,
          );
  }

  /** A schema, or the one that it refers to. */
  #resolved(schema: unknown, where: string): Schema {
    let at = toObject(schema, where);
    for (let step = 0; typeof at['$ref'] === 'string'; step += 1) {
      if (step > MOST_DEPTH) throw new GrammarError(`"$ref" goes in a circle (${where})`);
      allowOnly(keywordsOf(at, where), ['$ref'], where);
      at = toObject(this.#target(at['$ref'], where), where);
    }
    return at;
  }

  #target(reference: string, where: string): unknown {
    if (!/^#(\/|$)/.test(reference))
      throw new GrammarError(
        `"$ref" to "${reference.slice(0, 64)}" is not supported: only to places in the schema, "#/..." (${where})`,
      );
    let at: unknown = this.#root;
    for (const part of reference.split('/').slice(1)) {
      const name = decoded(part).replaceAll('~1', '/').replaceAll('~0', '~');
      at = (isObject(at) || Array.isArray(at)) && Object.hasOwn(at, name) ? (at as Schema)[name] : undefined;
    }
    if (at === undefined) throw new GrammarError(`there is nothing at "${reference.slice(0, 64)}" (${where})`);
    return at;
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function toObject(schema: unknown, where: string): Schema {
  if (schema === true) return {};
  if (isObject(schema)) return schema;
  throw new GrammarError(
    schema === false ? `no value fits "false" (${where})` : `a schema must be an object (${where})`,
  );
}

const MOST_ALTERNATIVES = 1000;

function product(all: readonly Schema[], others: readonly Schema[], where: string): Schema[] {
  if (all.length * others.length > MOST_ALTERNATIVES)
    throw new GrammarError(`there are more than ${MOST_ALTERNATIVES} alternatives (${where})`);
  return all.flatMap((one) => others.map((other) => merged(one, other, where)));
}

/** The values that a schema spells out, as far as they have its types. */
function constants(schema: Schema, types: readonly Type[] | undefined, where: string): unknown[] {
  allowOnly(schema, ['enum', 'const', 'type', 'nullable'], where);
  const listed = schema['enum'] ?? [schema['const']];
  if (!Array.isArray(listed)) throw new GrammarError(`enum must be a list (${where})`);
  const values = (listed as unknown[]).filter(
    (value) => schema['const'] === undefined || JSON.stringify(value) === JSON.stringify(schema['const']),
  );
  if (schema['nullable'] === true) values.push(null);
  const fitting = values.filter((value) => types === undefined || types.some((type) => isOf(value, type)));
  if (fitting.length === 0) throw new GrammarError(`no value of the enum has the type (${where})`);
  return fitting;
}

function isOf(value: unknown, type: Type): boolean {
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return isObject(value);
  if (type === 'integer') return Number.isInteger(value);
  return typeof value === type;
}
