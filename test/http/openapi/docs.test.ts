import assert from 'node:assert/strict';
import test from 'node:test';
import { OPERATIONS } from '../../../src/dialects/operations.ts';
import { digestOfKey } from '../../../src/config/api-keys.ts';
import { describeApi } from '../../../src/http/openapi/document.ts';
import type { DescribedModel } from '../../../src/http/openapi/examples.ts';
import { ask } from '../in-process.ts';
import { startStubServer, type StubModel } from '../stub-services.ts';

type Json = Readonly<Record<string, unknown>>;
type Described = Readonly<Record<string, Readonly<Record<string, Json>>>>;

const chat: StubModel = { name: 'talker', task: 'chat', serve: () => Promise.resolve({ json: {} }) };

async function documentOf(url: string, headers: Record<string, string> = {}): Promise<Json> {
  const { status, json } = await ask(`${url}/openapi.json`, { headers });
  assert.equal(status, 200);
  return json as Json;
}

/** References and schemas that say nothing would be mistakes of the maker of the document. */
function schemaOf(operation: Json, type: string): Json | undefined {
  const { requestBody } = operation as { requestBody?: { content: Record<string, { schema?: Json }> } };
  return requestBody?.content[type]?.schema;
}

test('every operation is described, with the schema that reads its body and all statuses', async () => {
  await using server = await startStubServer([chat]);
  const { paths } = (await documentOf(server.url)) as { paths: Described };
  for (const { name, paths: own, about, kind } of OPERATIONS) {
    assert.match(about.summary, /^[A-Z].*[^.]$/, name);
    assert.ok(kind === 'stand-in' || about.body !== undefined, `${name} has a body`);
    for (const path of own) {
      const operation = paths[path.replaceAll(/:(\w+)/g, '{$1}')]?.['post'];
      assert.ok(operation, path);
      const schema = schemaOf(operation, 'application/json') ?? schemaOf(operation, 'multipart/form-data');
      assert.ok(schema && ('properties' in schema || 'anyOf' in schema), path);
      for (const status of [200, 400, 401, 403, 404, 413, 429, 500, 503])
        assert.ok(Object.hasOwn(operation['responses'] as object, status), `${path} ${status}`);
    }
  }
});

/** They have no body. */
const EMPTY = ['/v2/repository/models/{model}/load', '/v2/repository/models/{model}/unload', '/openapi.json'];

test('every answer in JSON and every stream has a schema', async () => {
  await using server = await startStubServer([chat]);
  const { paths } = (await documentOf(server.url)) as { paths: Described };
  for (const { name, about, ...operation } of OPERATIONS) {
    const streams = operation.kind === 'items' && operation.stream !== undefined;
    assert.equal(about.events !== undefined || about.lines !== undefined, streams, name);
  }
  for (const [path, methods] of Object.entries(paths))
    for (const [method, { responses }] of Object.entries(methods)) {
      const all = responses as Record<string, { content: Record<string, { schema?: Json }> }>;
      const { content = {} } = all[200] ?? all[202] ?? {};
      for (const type of ['application/json', 'application/x-ndjson', 'text/event-stream'])
        if (content[type] !== undefined && !EMPTY.includes(path))
          assert.ok(content[type].schema, `${method} ${path} ${type}`);
    }
});

test('every route and probe is described, and each operation has an id of its own', async () => {
  await using server = await startStubServer([chat]);
  const { paths, openapi } = (await documentOf(server.url)) as { paths: Described; openapi: string };
  assert.equal(openapi, '3.1.1');
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map((one) => [path, ...one] as const),
  );
  for (const [path, , { summary }] of all) assert.match(String(summary), /^[A-Z]/, path);
  const ids = all.map(([, , { operationId }]) => operationId);
  assert.equal(new Set(ids).size, ids.length);
  for (const [path, method] of [
    ['/health', 'get'],
    ['/metrics', 'get'],
    ['/v1/jobs/{id}', 'delete'],
    ['/v2/repository/models/{model}/load', 'post'],
  ] as const)
    assert.ok(paths[path]?.[method], path);
  const { parameters } = paths['/v1/jobs/{id}']?.['get'] as { parameters: Json[] };
  assert.deepEqual(parameters, [{ name: 'id', in: 'path', required: true, schema: { type: 'string', minLength: 1 } }]);
});

test('ranges, lists and forms are told as they are checked', async () => {
  await using server = await startStubServer([chat]);
  const { paths } = (await documentOf(server.url)) as { paths: Described };
  const propertiesOf = (path: string, type = 'application/json'): Record<string, Json> =>
    (schemaOf(paths[path]?.['post'] ?? {}, type) as { properties: Record<string, Json> }).properties;
  const { temperature, stream } = propertiesOf('/v1/chat/completions');
  assert.deepEqual([temperature?.['type'], temperature?.['minimum'], temperature?.['maximum']], ['number', 0, 2]);
  assert.equal(stream?.['type'], 'boolean');
  assert.deepEqual(propertiesOf('/v2/embed')['output_dimension'], { type: 'integer', minimum: 1 });
  assert.equal((propertiesOf('/embed_all')['inputs']?.['anyOf'] as unknown[]).length, 3);
  const { file } = propertiesOf('/v1/audio/transcriptions', 'multipart/form-data');
  assert.deepEqual(file, { type: 'string', format: 'binary' });
  assert.equal((propertiesOf('/v1/audio/transcriptions')['file']?.['anyOf'] as unknown[]).length, 2);
});

test('shapes and fields have names that generators of clients can tell apart', async () => {
  await using server = await startStubServer([chat]);
  const { paths, components } = (await documentOf(server.url)) as { paths: Described; components: { schemas: Json } };
  for (const [path, { post = {} }] of Object.entries(paths))
    for (const type of ['application/json', 'multipart/form-data']) {
      const { properties = {} } = (schemaOf(post, type) ?? {}) as { properties?: Json };
      const names = Object.keys(properties).map((name) => name.replaceAll(/\W/g, ''));
      assert.equal(new Set(names).size, names.length, `${path} ${type}`);
    }
  const { anyOf } = components.schemas['ResponseItem'] as { anyOf: Json[] };
  assert.deepEqual(
    anyOf.map(({ $ref }) => $ref),
    [
      '#/components/schemas/ResponseMessage',
      '#/components/schemas/ResponseReasoning',
      '#/components/schemas/ResponseCall',
    ],
  );
  const { properties } = schemaOf(paths['/decode']?.['post'] ?? {}, 'application/json') as { properties: Json };
  const ids = { type: 'array', minItems: 1, items: { type: 'integer', minimum: 0 } };
  assert.deepEqual(properties['ids'], { anyOf: [{ type: 'array', minItems: 1, items: ids }, ids] });
});

test('a path of several dialects has the errors of each', async () => {
  await using server = await startStubServer([chat]);
  const { paths, components } = (await documentOf(server.url)) as {
    paths: Described;
    components: { schemas: Record<string, Json> };
  };
  const { responses } = paths['/rerank']?.['post'] as { responses: Record<string, { content: Record<string, Json> }> };
  const { schema } = responses[400]?.content['application/json'] as { schema: { anyOf: { $ref: string }[] } };
  const kinds = schema.anyOf.map(({ $ref }) => {
    const { properties } = components.schemas[$ref.split('/').at(-1) ?? ''] as { properties: Json };
    return (properties['error'] as Json)['type'];
  });
  assert.deepEqual(kinds.sort(), ['object', 'string']);
});

test('examples name the models that are there; without a key, names of models are not told', async () => {
  const keys = { API_KEYS: `app:${digestOfKey('app')}` };
  await using server = await startStubServer([chat], keys);
  const bodyOf = (document: Json): Json => {
    const { paths } = document as { paths: Described };
    const { requestBody } = paths['/v1/chat/completions']?.['post'] as {
      requestBody: { content: Record<string, Json> };
    };
    return requestBody.content['application/json'] ?? {};
  };
  const known = await documentOf(server.url, { 'X-API-Key': 'app' });
  const { examples } = bodyOf(known) as { examples: Record<string, { value: Json }> };
  assert.equal(examples['talker']?.value['model'], 'talker');
  assert.deepEqual(known['security'], [{ bearer: [] }, { key: [] }]);
  for (const headers of [{}, { 'X-API-Key': 'wrong' }] as Record<string, string>[]) {
    const unknown = await documentOf(server.url, headers);
    assert.doesNotMatch(JSON.stringify(unknown), /talker/);
  }
});

test('examples are requests that work, in the terms of the path, whose model is the first of them', () => {
  const modelOf = (name: string, task: string, example: unknown): DescribedModel => ({
    name,
    task: {},
    description: { task, example },
  });
  const models = [
    modelOf('raw', 'image-to-image', { file: 'a.png', contentType: 'image/png' }),
    modelOf('words', 'text-classification', { data: 'Hi' }),
  ];
  const { paths } = describeApi({ version: '1', routes: [], hasKeys: false, models }) as { paths: Described };
  const { requestBody, parameters } = paths['/predict/{model}']?.['post'] as {
    requestBody: { content: Record<string, Json> };
    parameters: Json[];
  };
  assert.deepEqual(requestBody.content['application/json']?.['examples'], { words: { value: { data: 'Hi' } } });
  assert.equal(parameters[0]?.['example'], 'words');
});

test('each kind of path is described', async () => {
  await using server = await startStubServer([chat]);
  const { paths, tags } = (await documentOf(server.url)) as { paths: Described; tags: Json[] };
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
  const used = new Set(operations.flatMap((operation) => operation['tags'] as string[]));
  assert.deepEqual(new Set(tags.map(({ name }) => name)), used);
});

test('the page and its parts come from here alone, also without a key', async () => {
  await using server = await startStubServer([chat], { API_KEY: 'secret' });
  const page = await ask(`${server.url}/docs`);
  assert.match(page.headers.get('content-security-policy') ?? '', /^default-src 'none'; script-src 'self';/);
  const text = Buffer.from(page.bytes).toString();
  assert.doesNotMatch(text, /https?:|<script>|style=|on\w+=/);
  const parts = [...text.matchAll(/<(?:link|script) [^>]*(?:src|href)="([^"]+)"/g)].map(([, part]) => part ?? '');
  assert.equal(parts.length, 4);
  assert.ok(!parts.some((part) => part.startsWith('/')));
  for (const part of parts) {
    // Relative, so that the page also works below a path.
    const url = new URL(part, `${server.url}/docs`).href;
    const plain = await ask(url, { headers: { 'Accept-Encoding': 'identity' } });
    const packed = await ask(url);
    assert.deepEqual([plain.status, packed.status], [200, 200], part);
    assert.equal(plain.headers.get('x-content-type-options'), 'nosniff');
    assert.deepEqual(packed.bytes, plain.bytes);
  }
});

test('with a slash at its end, the address leads to the site of the docs', async () => {
  await using server = await startStubServer([chat]);
  const { status, headers } = await ask(`${server.url}/docs/`, { redirect: 'manual' });
  // Relative, so that it also holds below a path.
  assert.deepEqual([status, headers.get('location')], [308, 'index.html']);
  const site = await ask(`${server.url}/docs/`);
  assert.equal(site.status, 200);
  assert.match(Buffer.from(site.bytes).toString(), /href="site\.css"/);
});

test('the document is the same bytes packed and plain, and another one to those without a key', async () => {
  await using server = await startStubServer([chat], { API_KEY: 'secret' });
  const known = { Authorization: 'Bearer secret' };
  const document = JSON.stringify(await documentOf(server.url, known));
  assert.ok(document.includes('talker'));
  assert.equal(JSON.stringify(await documentOf(server.url, { ...known, 'Accept-Encoding': 'identity' })), document);
  assert.ok(!JSON.stringify(await documentOf(server.url)).includes('talker'));
});

test('the pages can be switched off', async () => {
  await using server = await startStubServer([chat], { API_DOCS: 'false' });
  for (const path of ['/docs', '/openapi.json']) assert.equal((await ask(server.url + path)).status, 404);
});
