import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

const DEPLOY = fileURLToPath(new URL('../../../deploy/', import.meta.url));

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly scaleTargetRef?: { readonly name: string };
    readonly triggers?: readonly { readonly metadata: Readonly<Record<string, unknown>> }[];
  };
}

/** The documents of a file, as Kubernetes and Prometheus would read them. */
function documentsOf(name: string): Manifest[] {
  return parseAllDocuments(readFileSync(path.join(DEPLOY, name), 'utf8'), { strict: true, uniqueKeys: true }).map(
    (document) => {
      assert.deepEqual([...document.errors, ...document.warnings], [], name);
      return document.toJS() as Manifest;
    },
  );
}

test('every YAML file of deploy/ can be read, without a key that stands there twice', () => {
  const files = readdirSync(DEPLOY, { recursive: true })
    .map(String)
    .filter((name) => /\.ya?ml$/.test(name));
  assert.ok(files.length >= 5);
  for (const name of files) assert.ok(documentsOf(name).length > 0, name);
});

test('KEDA scales the Deployment that is there, and all values of its triggers are texts', () => {
  const [scaled] = documentsOf('kubernetes/keda.yaml');
  const deployment = documentsOf('kubernetes/carpool.yaml').find(({ kind }) => kind === 'Deployment');
  assert.equal(scaled?.spec.scaleTargetRef?.name, deployment?.metadata.name);
  const triggers = scaled?.spec.triggers ?? [];
  assert.ok(triggers.length > 0);
  // KEDA refuses numbers: https://keda.sh/docs/latest/reference/scaledobject-spec/
  for (const { metadata } of triggers)
    for (const [name, value] of Object.entries(metadata)) assert.equal(typeof value, 'string', name);
});
