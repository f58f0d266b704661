import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Places } from '../../src/storage/places.ts';
import { plainPlace, shownPlace } from '../../src/storage/shown-place.ts';
import { storageError, temporaryFolder } from './support.ts';

test('a place is allowed if it is one of the list or lies below one', () => {
  const places = new Places(['s3://bucket/in/', 's3://other', 'https://Host.example/data', 'http://minio:9000/']);
  const allowed = [
    's3://bucket/in/a',
    's3://bucket/in/a/b c?d#e',
    's3://other/x',
    'https://host.example/data/x?signature=1',
    'https://host.example:443/data',
    'http://minio:9000/b/k',
  ];
  const refused = [
    's3://bucket/inner',
    's3://bucket/in/../out',
    's3://bucket/in/%2e%2e/out',
    's3://Bucket/in/a',
    's3://bucket',
    's3://other.evil/x',
    'https://host.example/database',
    'https://host.example/data/../secret',
    'https://host.example/data/%2e%2e/secret',
    'https://host.example/data/..%2fsecret',
    'https://host.example/data/..%5Csecret',
    'https://host.example.evil/data/x',
    'https://host.example:8443/data/x',
    'https://user@host.example/data/x',
    'http://host.example/data/x',
    'http://minio:9001/b/k',
    'file:///etc/passwd',
    'ftp://host.example/data/x',
    '/etc/passwd',
    '',
  ];
  assert.deepEqual(
    allowed.filter((place) => !places.names(place)),
    [],
  );
  assert.deepEqual(
    refused.filter((place) => places.names(place)),
    [],
  );
});

test('without a list nothing is allowed', async () => {
  const places = new Places([]);
  assert.ok(places.isEmpty);
  for (const place of ['s3://bucket/x', 'https://host/x', 'file:///x'])
    await assert.rejects(places.check(place), storageError('BAD_PLACE', /STORAGE_PLACES/));
});

test('what is no prefix is refused', () => {
  for (const prefix of [
    'bucket',
    's3://',
    'https://',
    'https://host/?a=b',
    'https://user:SECRET@host/',
    'file://host/x',
  ])
    assert.throws(() => new Places([prefix]), storageError('BAD_PLACE'), prefix);
});

test('a link does not lead out of a folder', async (t) => {
  const folder = await temporaryFolder(t);
  const inside = path.join(folder, 'in');
  await mkdir(path.join(inside, 'deep'), { recursive: true });
  await mkdir(path.join(folder, 'out'));
  await writeFile(path.join(inside, 'file'), '');
  await writeFile(path.join(folder, 'out', 'secret'), '');
  await symlink(path.join(folder, 'out'), path.join(inside, 'link'));
  await symlink(path.join(inside, 'file'), path.join(inside, 'alias'));
  const places = new Places([pathToFileURL(`${inside}/`).href]);
  const place = (...parts: string[]): string => pathToFileURL(path.join(inside, ...parts)).href;
  for (const allowed of [place('file'), place('alias'), place('deep', 'new', 'file')]) await places.check(allowed);
  for (const refused of [place('link', 'secret'), place('link', 'new'), pathToFileURL(path.join(folder, 'out')).href])
    await assert.rejects(places.check(refused), storageError('BAD_PLACE'));
});

test('the origin of a prefix is trusted, and no other', () => {
  const places = new Places(['http://minio:9000/bucket/', 's3://bucket/']);
  assert.ok(places.hasOrigin(new URL('http://minio:9000/elsewhere')));
  for (const other of ['http://minio/', 'https://minio:9000/', 'http://minio:9001/'])
    assert.ok(!places.hasOrigin(new URL(other)));
});

test('messages hold nothing that grants access', () => {
  assert.equal(shownPlace('https://user:SECRET@host/a?X-Amz-Signature=SECRET#b'), 'https://host/a');
  assert.equal(shownPlace('s3://bucket/key'), 's3://bucket/key');
  assert.equal(shownPlace(`s3://bucket/${'k'.repeat(1000)}`).length, 300);
  const key = `s3://bucket/why?#${'k'.repeat(1000)}`;
  assert.equal(plainPlace(key), key);
  assert.equal(plainPlace('https://user:SECRET@host/a?X-Amz-Signature=SECRET#b'), 'https://host/a');
});
