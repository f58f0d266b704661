import assert from 'node:assert/strict';
import { test } from 'node:test';
import { optionsOf } from '../../src/hub/pull-models.ts';
import { ModelsDir } from '../../src/repository/models-dir.ts';
import { FakeHub } from './hub-server.ts';
import { BERT_FILES, createPullRig } from './support.ts';

test('the token goes to the hub, and not to the store that the hub names', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES, token: 'hf_secret' });
  const { pull } = await createPullRig(t, hub);
  await pull({ token: 'hf_secret' });
  for (const { where, authorization } of hub.seen)
    assert.equal(authorization, where === 'hub' ? 'Bearer hf_secret' : undefined);
  assert.ok(hub.seen.some(({ where }) => where === 'store'));
});

test('a password in HF_ENDPOINT goes to the hub alone, where there is no token, and is in no message', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  const { pull } = await createPullRig(t, hub);
  const options = (HF_TOKEN: string) =>
    optionsOf({
      CARPOOL_MODELS: [],
      MODEL_ID: '',
      MODELS_DIR: '.',
      DTYPE: 'auto',
      HF_TOKEN,
      HF_ENDPOINT: 'https://me:p%40ss@hub.example/mirror/',
    });
  assert.equal(options('').endpoint, 'https://hub.example/mirror');
  await pull({ token: '', credentials: options('').credentials ?? '' });
  const basic = `Basic ${Buffer.from('me:p@ss').toString('base64')}`;
  for (const { where, authorization } of hub.seen) assert.equal(authorization, where === 'hub' ? basic : undefined);
});

test('a refusal says what to do', async (t) => {
  const closed = await FakeHub.start(t, { files: BERT_FILES, token: 'right' });
  const gated = await FakeHub.start(t, { files: BERT_FILES, token: 'right', gated: true });
  const { pull: fromClosed } = await createPullRig(t, closed);
  const { pull: fromGated } = await createPullRig(t, gated);
  await assert.rejects(fromClosed(), { message: /private or gated \(401\): for those, set HF_TOKEN/ });
  await assert.rejects(fromClosed({ token: 'wrong' }), { message: /does not take the token in HF_TOKEN/ });
  await assert.rejects(fromGated(), {
    message: /gated: accept its conditions at http.*\/acme\/tiny, and set HF_TOKEN/,
  });
  await assert.rejects(fromClosed({ reference: 'hf:acme/none', token: 'right' }), { message: /no such model \(404\)/ });
  await assert.rejects(fromClosed({ reference: 'hf:acme/tiny@v9', token: 'right' }), { message: /no such revision/ });
  // None of these is asked twice.
  assert.equal(closed.seen.length, 4);
});

test('a name that leads out of the folder is refused with the whole repository', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES });
  for (const name of ['../up.json', '/etc/x', 'a/../../b', 'a\\..\\b', 'C:/x', 'a//b', './a', 'a\u0000b']) {
    const { pull, modelsDir } = await createPullRig(t, hub);
    hub.listedBesides.splice(0, 1, name);
    await assert.rejects(pull(), { name: 'HubError', message: /leads out of its folder/ }, name);
    assert.deepEqual(await new ModelsDir(modelsDir).list(), []);
  }
});

test('an endpoint that is not a hub is reported', async (t) => {
  const hub = await FakeHub.start(t, { files: { ...BERT_FILES } });
  const { pull } = await createPullRig(t, hub);
  await assert.rejects(pull({ endpoint: `${hub.endpoint}/acme/tiny/resolve/${hub.commit}/x` }), { name: 'HubError' });
});

test('a redirect within the hub keeps the token; one that leads nowhere ends', async (t) => {
  const hub = await FakeHub.start(t, { files: BERT_FILES, token: 'hf_secret' });
  const { pull, read } = await createPullRig(t, hub);
  const redirect = (to: string) => ({
    kind: 'status' as const,
    status: 307,
    headers: { location: `/acme/tiny/resolve/${hub.commit}/tokenizer.json${to}` },
  });
  for (const endless of [
    [redirect('')],
    Array.from({ length: 7 }, (_, step) => redirect(`?step=${step}`)),
    [{ ...redirect(''), headers: { location: 'ftp://hub/x' } }],
  ]) {
    hub.mishaps.set('tokenizer.json', endless);
    await assert.rejects(pull({ token: 'hf_secret' }), {
      name: 'HubError',
      message: 'acme/tiny: the hub redirects without end',
    });
  }
  hub.mishaps.set('tokenizer.json', [redirect('?moved'), redirect('?again')]);
  await pull({ token: 'hf_secret' });
  assert.equal((await read('tokenizer.json')).toString(), BERT_FILES['tokenizer.json']);
});
