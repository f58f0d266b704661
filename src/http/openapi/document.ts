import type { z } from 'zod';
import { ANY_TYPE, FORM_TYPE, JSON_TYPE, type About } from '../../dialects/shared/about.ts';
import type { Operation } from '../../dialects/shared/operation.ts';
import { OPERATIONS, operationNamed, sharingPathsOf } from '../../dialects/operations.ts';
import { dialectOf } from '../../dialects/operation-table.ts';
import { ERRORS } from '../../errors.ts';
import type { RouteAbout, Routes } from '../express-routes.ts';
import { PROBE_ANSWER, PROBES } from '../probes.ts';
import { examplesOf, withExamples, type DescribedModel } from './examples.ts';
import { jsonSchemaOf, oneOf, Schemas, type JsonSchema } from './json-schema.ts';
import { responsesOf, type Answering } from './responses.ts';

/** The document of the API in OpenAPI 3.1, made of the operations and routes that there are. https://spec.openapis.org/oas/v3.1.1.html */

export interface DescribedApi {
  readonly version: string;
  readonly routes: Routes['all'];
  /** Whether keys are asked for. */
  readonly hasKeys: boolean;
  /** Models that examples may name, with what their folders give as one. */
  readonly models: readonly DescribedModel[];
}

type Json = Readonly<Record<string, unknown>>;

export function describeApi({ version, routes, hasKeys, models }: DescribedApi): Json {
  const paths: Record<string, Record<string, Json>> = {};
  const schemas = new Schemas();
  const add = (path: string, method: string, operation: Json): void => {
    const place = path.replaceAll(/[:*](\w+)/g, '{$1}');
    (paths[place] ??= {})[method] = { ...operation, ...parametersOf(place, operation, models) };
  };
  for (const operation of OPERATIONS)
    for (const [index, path] of operation.paths.entries())
      add(path, 'post', {
        operationId: index === 0 ? operation.name : `${operation.name}.${index + 1}`,
        ...operationOf(operation, models, schemas),
      });
  for (const { method, path, dialect, about } of routes)
    add(path, method, {
      operationId: `${method} ${path}`.replaceAll(/\W+/g, '.').replace(/\.$/, ''),
      // What is refused before the route is known is told in the dialect of the path.
      ...toldOf(about, { abouts: [about], dialects: [...new Set([dialect, dialectOf(path)])] }, schemas),
      ...(about.query === undefined ? {} : { parameters: queryOf(jsonSchemaOf(about.query)) }),
    });
  for (const path of Object.keys(PROBES)) add(path, 'get', probe(path, schemas));
  return {
    openapi: '3.1.1',
    info: { title: 'Carpool', version, license: { name: 'MIT', identifier: 'MIT' } },
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    servers: [{ url: '/' }],
    security: hasKeys ? [{ bearer: [] }, { key: [] }] : [],
    paths,
    components: { schemas: schemas.named, ...(hasKeys ? { securitySchemes: SCHEMES } : {}) },
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

function operationOf(operation: Operation, models: readonly DescribedModel[], schemas: Schemas): Json {
  const all = servedAt(operation);
  const abouts = all.map(({ about }) => about);
  const dialects = [...new Set([operation.dialect, ...all.map(({ dialect }) => dialect)])];
  const { summary, formBody } = operation.about;
  const about = {
    ...{ summary, bodyTypes: [...new Set(abouts.flatMap(({ bodyTypes = [JSON_TYPE] }) => bodyTypes))] },
    ...(formBody === undefined ? {} : { formBody }),
  };
  return withExamples(toldOf(about, { abouts, dialects }, schemas), examplesOf(all, models));
}

/** The operations that bodies at the paths of one may be for: itself and others that share them, or those that it stands for. */
function servedAt(operation: Operation): readonly Operation[] {
  if (operation.kind !== 'stand-in') return [operation, ...sharingPathsOf(operation)];
  return [...new Set(operation.of.flatMap(({ operation: name }) => servedAt(operationNamed(name))))];
}

/** `about` is of the operation whose path it is. */
function toldOf(about: RouteAbout, answering: Answering, schemas: Schemas): Json {
  const bodies = new Set(answering.abouts.flatMap(({ body }) => body ?? []));
  return {
    summary: about.summary,
    tags: [answering.dialects[0]?.name],
    ...(bodies.size === 0 ? {} : { requestBody: { content: bodiesOf(about, [...bodies], schemas) } }),
    responses: responsesOf(answering, schemas),
  };
}

function bodiesOf({ bodyTypes = [JSON_TYPE], formBody }: About, bodies: readonly z.ZodType[], schemas: Schemas): Json {
  const schema = oneOf(bodies.map((body) => schemas.of(body)));
  const form = formBody === undefined ? schema : schemas.of(formBody);
  const mediaOf = (type: string): Json =>
    type === ANY_TYPE || type.endsWith('octet-stream') ? {} : { schema: type === FORM_TYPE ? form : schema };
  return Object.fromEntries(bodyTypes.map((type) => [type, mediaOf(type)]));
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

function probe(path: string, schemas: Schemas): Json {
  const content = { [JSON_TYPE]: { schema: schemas.of(PROBE_ANSWER()) } };
  return {
    operationId: `get${path.replaceAll(/\W+/g, '.')}`,
    summary: 'A health probe',
    tags: ['http'],
    security: [],
    responses: {
      200: { description: 'Yes', content },
      503: { description: 'No', content },
      400: { description: ERRORS.BAD_REQUEST.message, content: { [JSON_TYPE]: {} } },
    },
  };
}
