import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { selfSigned } from '../http/self-signed.ts';
import { judgeRoom } from '../../src/doctor/folders.ts';
import { findings } from './set-up.ts';

/** Set-ups with more than one thing wrong: none hides another. */

test('with --load a model that was cut off is named beside one that cannot be read', async (t) => {
  const env = async (folder: string): Promise<Record<string, string>> => {
    const models = path.join(folder, 'models');
    for (const name of ['cut', 'empty']) await mkdir(path.join(models, name));
    const graph = await readFile(path.join(models, 'square/model.onnx'));
    await writeFile(path.join(models, 'cut/model.onnx'), graph.subarray(0, Math.floor((graph.length * 2) / 3)));
    await writeFile(path.join(models, 'empty/model.onnx'), '');
    return { MODELS_DIR: models };
  };
  const found = (await findings({ env, load: true }, t)).filter(({ check }) => check === 'models');
  const cut = found.find(({ detail }) => detail.startsWith('cut: '));
  assert.match(cut?.detail ?? '', /was cut off/);
  assert.match(cut?.cure ?? '', /^rm -r .*cut, .*carpool pull/);
  assert.ok(
    found.some(({ detail }) => detail.startsWith('empty: ')),
    JSON.stringify(found),
  );
});

test('a web page beside folders of models is told of, with a cure that names the file', async (t) => {
  const env = async (folder: string): Promise<Record<string, string>> => {
    await writeFile(path.join(folder, 'models/junk.onnx'), '<html>not found</html>');
    return { MODELS_DIR: path.join(folder, 'models') };
  };
  const found = (await findings({ env }, t)).filter(({ check }) => check === 'models');
  const junk = found.find(({ detail }) => detail.startsWith('junk: '));
  assert.match(junk?.cure ?? '', /^rm -r .*models\/junk\.onnx, /, JSON.stringify(found));
});

test('a key of TLS that others can read is told of, though the certificate ends soon', async (t) => {
  const env = async (folder: string): Promise<Record<string, string>> => {
    const { cert, key } = selfSigned('one', new Date(Date.now() + 3 * 86_400_000));
    const [certFile, keyFile] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
    await writeFile(certFile, cert);
    await writeFile(keyFile, key, { mode: 0o644 });
    return { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile };
  };
  const found = (await findings({ env }, t)).filter(({ check }) => check === 'certificate');
  assert.ok(
    found.some(({ detail }) => detail.includes(' ends on ')),
    JSON.stringify(found),
  );
  assert.ok(
    found.some(({ cure }) => /^chmod 600 .*key\.pem$/.test(cure ?? '')),
    JSON.stringify(found),
  );
});

test('a full disk is a problem, one that may fill up a warning', () => {
  const place = { option: 'JOBS_DIR', folder: '/jobs', bytes: 5e9 };
  const outcomes = [0, 4e9, 6e9].map((free) => judgeRoom(place, free).map(({ outcome }) => outcome));
  assert.deepEqual(outcomes, [['problem'], ['warning'], []]);
});
