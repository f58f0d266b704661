import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HubError, isPassing, refusalError, toHubError } from '../../src/hub/hub-error.ts';

const coded = (code: string): Error => Object.assign(new Error('as the system says it'), { code });
const PLACES = { endpoint: 'https://hub.example', folder: '/models' };

test('a broken connection passes; a full disk, a wrong certificate and our own abort do not', () => {
  for (const code of ['ECONNRESET', 'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_SOCKET', 'UND_ERR_BODY_TIMEOUT'])
    assert.ok(isPassing(coded(code)), code);
  for (const code of ['ENOSPC', 'EACCES', 'CERT_HAS_EXPIRED', 'UND_ERR_ABORTED', 'UND_ERR_INVALID_ARG'])
    assert.ok(!isPassing(coded(code)), code);
});

test('errors of the disk and the network say what to do', () => {
  for (const [code, wanted] of [
    ['ENOSPC', /the disk of \/models is full: make room and run it again, it goes on where it stopped/],
    ['EROFS', /\/models cannot be written \(EROFS\)/],
    ['ENOTFOUND', /https:\/\/hub\.example cannot be reached \(ENOTFOUND\): .*HTTPS_PROXY and HF_ENDPOINT/],
  ] as const) {
    const error = toHubError(coded(code), PLACES);
    assert.ok(error instanceof HubError);
    assert.match(error.message, wanted);
  }
  const other = coded('EWHATEVER');
  assert.equal(toHubError(other, PLACES), other);
});

test('some refusals are worth another try', () => {
  const asked = { page: 'https://hub.example/a/b', repository: 'a/b', hasToken: true };
  const passing = (status: number, isElsewhere = false): boolean =>
    refusalError({ status, code: '', isElsewhere, retryAfterMs: undefined }, asked).isPassing;
  assert.deepEqual(
    [408, 429, 500, 502, 503].map((status) => passing(status)),
    Array(5).fill(true),
  );
  assert.deepEqual(
    [400, 401, 403, 404, 416].map((status) => passing(status)),
    Array(5).fill(false),
  );
  // The address of a store expires; the hub gives a new one.
  assert.ok(passing(403, true));
  const { message } = refusalError({ status: 403, code: '', isElsewhere: false, retryAfterMs: undefined }, asked);
  assert.match(message, /the token in HF_TOKEN may not read it \(403\): see https:\/\/hub\.example\/a\/b/);
});
