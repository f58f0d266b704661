import { ANY_TYPE, EVENTS_TYPE, JSON_TYPE, LINES_TYPE, type About } from '../../dialects/shared/about.ts';
import type { Dialect } from '../../dialects/shared/dialect.ts';
import { ERRORS, ServerError, type ErrorCode } from '../../errors.ts';
import { oneOf, schemaLike, type JsonSchema, type Schemas } from './json-schema.ts';

type Json = Readonly<Record<string, unknown>>;

/** What may answer at a path: all operations that share it, and their dialects. */
export interface Answering {
  readonly abouts: readonly (About & { readonly status?: number })[];
  readonly dialects: readonly Dialect[];
}

/** Every answer by its status: the success, and the errors of the dialects. */
export function responsesOf(answering: Answering, schemas: Schemas): Json {
  const status = answering.abouts[0]?.status ?? 200;
  return {
    [status]: { description: 'Done', content: successOf(answering, schemas) },
    ...errorsOf(answering.dialects, schemas),
  };
}

/** OpenAPI 3.1 has no word for the parts of a stream: the schema is that of one event's data, or of one line. */
function successOf({ abouts, dialects }: Answering, schemas: Schemas): Json {
  const schemasOf = (part: 'answer' | 'events' | 'lines'): JsonSchema[] =>
    abouts.flatMap(({ [part]: make }) => (make === undefined ? [] : [schemas.of(make())]));
  const types = new Set(abouts.flatMap(({ answerTypes = [JSON_TYPE] }) => answerTypes));
  const content: Record<string, Json> = {};
  for (const type of types) content[type] = type === JSON_TYPE ? media(schemasOf('answer')) : plainMedia(type);
  for (const [part, type] of [
    ['events', EVENTS_TYPE],
    ['lines', LINES_TYPE],
  ] as const) {
    const pieces = schemasOf(part);
    // An error after the first piece is a piece, too.
    if (pieces.length > 0)
      content[type] = media([...pieces, ...dialects.map((dialect) => streamErrorOf(dialect, schemas))]);
  }
  return content;
}

function media(schemas: readonly JsonSchema[]): Json {
  return schemas.length === 0 ? {} : { schema: oneOf(schemas) };
}

function plainMedia(type: string): Json {
  return type !== ANY_TYPE && type.startsWith('text/') ? { schema: { type: 'string' } } : {};
}

/** Codes that no answer has, or that only other methods and servers without a request get. */
const UNTOLD: ReadonlySet<ErrorCode> = new Set(['CANCELLED', 'METHOD_NOT_ALLOWED']);

const errorsByDialect = new Map<Dialect, ReadonlyMap<number, readonly ErrorCode[]>>();

/** Every status that a dialect may answer an error with, with the codes that it stands for there. */
function statusesOf(dialect: Dialect): ReadonlyMap<number, readonly ErrorCode[]> {
  const known = errorsByDialect.get(dialect);
  if (known !== undefined) return known;
  const codes = (Object.keys(ERRORS) as ErrorCode[]).filter((code) => !UNTOLD.has(code));
  // A task that does not fit has a status of its own in some dialects.
  const errors = [
    ...codes.map((code) => new ServerError(code)),
    new ServerError('BAD_REQUEST', undefined, { reason: 'wrong_task' }),
  ];
  const byStatus = new Map<number, ErrorCode[]>();
  for (const error of errors) {
    const { status } = dialect.tellError(error);
    byStatus.set(status, [...(byStatus.get(status) ?? []), error.code]);
  }
  errorsByDialect.set(dialect, byStatus);
  return byStatus;
}

/** Errors that between them have every field. */
const SAMPLES = [
  new ServerError('BAD_REQUEST', undefined, { param: 'field', reason: 'invalid_value' }),
  new ServerError('BAD_REQUEST'),
  new ServerError('QUEUE_FULL', undefined, { retryAfterMs: 1000 }),
];

function errorOf(dialect: Dialect, schemas: Schemas): JsonSchema {
  return schemas.name(nameOf(dialect, 'Error'), schemaLike(...SAMPLES.map((error) => dialect.tellError(error).body)));
}

function streamErrorOf(dialect: Dialect, schemas: Schemas): JsonSchema {
  return schemas.name(
    nameOf(dialect, 'StreamError'),
    schemaLike(...SAMPLES.map((error) => dialect.tellStreamError(error))),
  );
}

function nameOf({ name }: Dialect, kind: string): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}${kind}`;
}

/** The errors of a path; where several dialects share it, the body decides in whose shape they are. */
function errorsOf(dialects: readonly Dialect[], schemas: Schemas): Json {
  const content = { [JSON_TYPE]: media(dialects.map((dialect) => errorOf(dialect, schemas))) };
  const codes = new Map<number, Set<ErrorCode>>();
  for (const [status, some] of dialects.flatMap((dialect) => [...statusesOf(dialect)]))
    codes.set(status, new Set([...(codes.get(status) ?? []), ...some]));
  return Object.fromEntries(
    Array.from(codes, ([status, some]) => [
      status,
      { description: Array.from(some, (code) => ERRORS[code].message).join(' '), content },
    ]),
  );
}
