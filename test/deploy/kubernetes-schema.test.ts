import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Ajv, type AnySchemaObject } from 'ajv';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';
import { fileUrl, readDocument } from '../docs/documents.ts';

/** deploy/kubernetes against the schemas of Kubernetes and of KEDA, with no field that these do not know. */

const validator = process.env['CARPOOL_KUBERNETES_VALIDATE'] ?? '';
const keda = process.env['CARPOOL_KEDA_CRD'] ?? '';

test(
  'carpool.yaml fits the schemas of Kubernetes, and one with an unknown field does not',
  { skip: validator === '' ? 'CARPOOL_KUBERNETES_VALIDATE names no program (PyPI: kubernetes-validate)' : false },
  (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'carpool-kubernetes-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const check = (text: string): { status: number | null; output: string } => {
      const file = path.join(folder, 'carpool.yaml');
      writeFileSync(file, text);
      const { status, stdout, stderr } = spawnSync(validator, ['--strict', file], {
        encoding: 'utf8',
        timeout: 60_000,
      });
      return { status, output: stdout + stderr };
    };
    const text = readDocument('deploy/kubernetes/carpool.yaml');
    const { status, output } = check(text);
    assert.equal(status, 0, output);
    assert.match(output, /deployment\/carpool.*service\/carpool/s);
    assert.match(check(text.replace('timeoutSeconds: 2', 'timeoutSecond: 2')).output, /'timeoutSecond' was unexpected/);
  },
);

interface Definition {
  readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: AnySchemaObject } }[] };
}

/** Kubernetes drops, or refuses, what a structural schema does not name. */
function closed(schema: AnySchemaObject): AnySchemaObject {
  const { properties, items, ...rest } = schema as {
    properties?: Record<string, AnySchemaObject>;
    items?: AnySchemaObject;
  };
  return {
    ...rest,
    ...(items === undefined ? {} : { items: closed(items) }),
    ...(properties === undefined || Object.hasOwn(schema, 'x-kubernetes-preserve-unknown-fields')
      ? { ...(properties === undefined ? {} : { properties }) }
      : {
          properties: Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, closed(value)])),
          additionalProperties: false,
        }),
  };
}

test(
  'keda.yaml fits the schema of KEDA, and one with an unknown field does not',
  { skip: keda === '' ? 'CARPOOL_KEDA_CRD names no file (.ci/keda-crd fetches it)' : false },
  () => {
    const { spec } = parse(readFileSync(keda, 'utf8')) as Definition;
    const { properties = {}, ...schema } = (spec.versions[0]?.schema.openAPIV3Schema ?? {}) as {
      properties?: Record<string, AnySchemaObject>;
    };
    const ajv = new Ajv({ strict: false, allErrors: true });
    addFormats.default(ajv);
    // `metadata` is that of every object.
    const validate = ajv.compile(closed({ ...schema, properties: { ...properties, metadata: { type: 'object' } } }));
    const text = readFileSync(fileURLToPath(fileUrl('deploy/kubernetes/keda.yaml')), 'utf8');
    assert.ok(validate(parse(text)), ajv.errorsText(validate.errors));
    assert.ok(!validate(parse(text.replace('metricType: Value', 'metricTyp: Value'))));
    assert.match(ajv.errorsText(validate.errors), /must NOT have additional properties/);
    assert.ok(!validate(parse(text.replace('minReplicaCount: 2', 'minReplicaCount: two'))));
  },
);
