import type { Dialect } from '../../dialects/shared/dialect.ts';
import { ANY_TYPE, FORM_TYPE, JSON_TYPE, type About } from '../../dialects/shared/about.ts';
import type { ModelFacts, Operation } from '../../dialects/shared/operation.ts';
import { OPERATIONS, operationNamed, sharingPathsOf } from '../../dialects/operations.ts';
import { ERRORS, ServerError, type ErrorCode } from '../../errors.ts';
import type { Routes } from '../express-routes.ts';
import { PROBES } from '../probes.ts';
import { jsonSchemaOf, schemaLike, type JsonSchema } from './json-schema.ts';

/** The document of the API in OpenAPI 3.1, made of the operations and routes that there are. https://spec.openapis.org/oas/v3.1.1.html */

export interface DescribedApi {
  readonly version: string;
  readonly routes: Routes['all'];
  /** Whether keys are asked for. */
  readonly hasKeys: boolean;
  /** Models that examples may name, with what their folders give as one. */
  readonly models: readonly DescribedModel[];
}

export interface DescribedModel extends ModelFacts {
  readonly description: ModelFacts['description'] & { readonly example?: unknown };
}

type Json = Readonly<Record<string, unknown>>;

/** A model's example may be an image in text. */
const LONGEST_EXAMPLE = 1000;

/** Codes that no answer has, or that only other methods and servers without a request get. */
const UNTOLD: ReadonlySet<ErrorCode> = new Set(['CANCELLED', 'METHOD_NOT_ALLOWED']);

export function describeApi({ version, routes, hasKeys, models }: DescribedApi): Json {
  const paths: Record<string, Record<string, Json>> = {};
  const add = (path: string, method: string, operation: Json): void => {
    const place = path.replaceAll(/[:*](\w+)/g, '{$1}');
    (paths[place] ??= {})[method] = { ...operation, ...parametersOf(place, operation, models) };
  };
  for (const operation of OPERATIONS)
    for (const [index, path] of operation.paths.entries())
      add(path, 'post', {
        operationId: index === 0 ? operation.name : `${operation.name}.${index + 1}`,
        ...operationOf(operation, models),
      });
  for (const { method, path, dialect, about } of routes)
    add(path, method, {
      operationId: `${method} ${path}`.replaceAll(/\W+/g, '.'),
      ...toldOf(about, dialect),
      ...(about.query === undefined ? {} : { parameters: queryOf(jsonSchemaOf(about.query)) }),
    });
  for (const path of Object.keys(PROBES)) add(path, 'get', probe(path));
  return {
    openapi: '3.1.1',
    info: { title: 'Carpool', version, license: { name: 'MIT', identifier: 'MIT' } },
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    ...(hasKeys ? { security: [{ bearer: [] }, { key: [] }], components: { securitySchemes: SCHEMES } } : {}),
  };
}

/** Dialects, in the order of the page. */
const TAGS = {
  native: 'Models in the terms of their tasks',
  openai: "OpenAI's API, reranking and scores, jobs and batches",
  cohere: "Cohere's API",
  ollama: "Ollama's API",
  tei: 'The API of text-embeddings-inference',
  hf: "Hugging Face's inference API",
  oip: 'Open Inference Protocol (KServe, Triton): tensors, metadata, repository',
  http: 'Probes, metrics, this page',
};

const SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer' },
  key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
};

function operationOf(operation: Operation, models: readonly DescribedModel[]): Json {
  const { about, dialect } = operation;
  const all = servedAt(operation);
  const told = toldOf(
    {
      ...about,
      bodyTypes: unionOf(all, ({ bodyTypes = [JSON_TYPE] }) => bodyTypes),
      answerTypes: unionOf(all, ({ answerTypes = [JSON_TYPE] }) => answerTypes),
    },
    dialect,
    {
      bodies: all.flatMap((one) => (one.about.body === undefined ? [] : [one.about.body])),
      streams: operation.kind === 'items' && operation.stream !== undefined,
      dialects: [...new Set([dialect, ...all.map((one) => one.dialect)])],
    },
  );
  // Where others share the path, an example in the operation's own terms goes first.
  const examples = Object.assign({}, ...all.map((one) => examplesOf(one, models)).reverse()) as Json;
  return Object.keys(examples).length === 0 ? told : withExamples(told, examples);
}

function unionOf(operations: readonly Operation[], of: (about: About) => readonly string[]): string[] {
  return [...new Set(operations.flatMap(({ about }) => of(about)))];
}

/** The operations that bodies at the paths of one may be for: itself, and others that share them, or those that it stands for. */
function servedAt(operation: Operation): readonly Operation[] {
  if (operation.kind === 'stand-in') return operation.of.map(({ operation: name }) => operationNamed(name));
  return [operation, ...sharingPathsOf(operation)];
}

function toldOf(
  about: About & { readonly status?: number },
  dialect: Dialect,
  {
    bodies = about.body === undefined ? [] : [about.body],
    streams = false,
    dialects = [dialect],
  }: { bodies?: NonNullable<About['body']>[]; streams?: boolean; dialects?: readonly Dialect[] } = {},
): Json {
  const { summary, bodyTypes = [JSON_TYPE], answerTypes = [JSON_TYPE], status = 200 } = about;
  const schemas = [...new Set(bodies)].map(jsonSchemaOf);
  const body = schemas.length > 1 ? { anyOf: schemas } : schemas[0];
  const answers = [...answerTypes, ...(streams ? ['text/event-stream'] : [])];
  return {
    summary,
    tags: [dialect.name],
    ...(body === undefined ? {} : { requestBody: { content: contentOf(bodyTypes, body, formOf(about)) } }),
    responses: {
      [status]: { description: 'Done', content: contentOf(answers, {}) },
      ...errorsOf(dialects),
    },
  };
}

/** The schema of a form, where it is another one than that of JSON. */
function formOf({ formBody }: About): JsonSchema | undefined {
  return formBody === undefined ? undefined : jsonSchemaOf(formBody);
}

function contentOf(types: readonly string[], schema: JsonSchema, form = schema): Json {
  return Object.fromEntries(
    types.map((type) => [
      type,
      type === ANY_TYPE || type.endsWith('octet-stream') ? {} : { schema: type === FORM_TYPE ? form : schema },
    ]),
  );
}

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

/** The errors of a path; where several dialects share it, the body decides in whose shape they are. */
function errorsOf(dialects: readonly Dialect[]): Json {
  const shapes = dialects.map((dialect) => schemaLike(dialect.tellError(new ServerError('BAD_REQUEST')).body));
  const content = contentOf([JSON_TYPE], shapes.length > 1 ? { anyOf: shapes } : (shapes[0] ?? {}));
  const codes = new Map<number, Set<ErrorCode>>();
  for (const [status, some] of dialects.flatMap((dialect) => [...statusesOf(dialect)]))
    codes.set(status, new Set([...(codes.get(status) ?? []), ...some]));
  return Object.fromEntries(
    [...codes].map(([status, some]) => [
      status,
      { description: [...some].map((code) => ERRORS[code].message).join(' '), content },
    ]),
  );
}

/** Bodies that work here, by the name of their model. */
function examplesOf(operation: Operation, models: readonly DescribedModel[]): Json {
  if (operation.kind === 'stand-in') return {};
  const { about, dialect } = operation;
  const found: Record<string, Json> = {};
  for (const model of models) {
    if (!operation.models.fits(model)) continue;
    const { example } = model.description;
    const isShort = JSON.stringify(example ?? null).length <= LONGEST_EXAMPLE;
    if (about.example !== undefined)
      found[model.name] = { value: dialect.name === 'oip' ? about.example : { model: model.name, ...about.example } };
    else if (dialect.name === 'native' && isJsonRequest(example) && isShort) found[model.name] = { value: example };
  }
  return found;
}

/** A model's example is a request of the native API, or a file that is sent as it is. */
function isJsonRequest(example: unknown): boolean {
  return typeof example === 'object' && example !== null && 'data' in example;
}

function withExamples(told: Json, examples: Json): Json {
  const { requestBody } = told as { requestBody?: { content: Record<string, Json> } };
  if (requestBody === undefined) return told;
  const { [JSON_TYPE]: json, ...others } = requestBody.content;
  return { ...told, requestBody: { content: { [JSON_TYPE]: { ...json, examples }, ...others } } };
}

function parametersOf(
  path: string,
  operation: { parameters?: readonly Json[]; requestBody?: { content: Record<string, { examples?: Json }> } },
  models: readonly DescribedModel[],
): Json {
  const { parameters = [], requestBody } = operation;
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  // The page fills it in: the model of the body that it shows.
  const [model = models[0]?.name] = Object.keys(requestBody?.content[JSON_TYPE]?.examples ?? {});
  const all = [
    ...names.map((name) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string', minLength: 1 },
      ...(name === 'model' && model !== undefined ? { example: model } : {}),
    })),
    ...parameters,
  ];
  return all.length === 0 ? {} : { parameters: all };
}

function queryOf(schema: JsonSchema): Json[] {
  const { properties = {}, required = [] } = schema as { properties?: Record<string, Json>; required?: string[] };
  return Object.entries(properties).map(([name, one]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema: one,
  }));
}

function probe(path: string): Json {
  const content = { [JSON_TYPE]: { schema: { type: 'object' } } };
  return {
    operationId: `get${path.replaceAll(/\W+/g, '.')}`,
    summary: 'A health probe',
    tags: ['http'],
    security: [],
    responses: {
      200: { description: 'Yes', content },
      503: { description: 'No', content },
      400: { description: ERRORS.BAD_REQUEST.message, content },
    },
  };
}
