import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MockAgent, request } from 'undici';
import { followRedirects, redirectProblem } from '../../src/hub/redirects.ts';

interface Step {
  readonly from: string;
  readonly to: string;
}

/** Requests the first address, where each step redirects from one address to the next; gives the headers of the last request. */
async function follow(steps: readonly Step[], headers: Readonly<Record<string, string>> = {}) {
  const agent = new MockAgent();
  agent.disableNetConnect();
  for (const { from, to } of steps) {
    const { origin, pathname } = new URL(from);
    agent
      .get(origin)
      .intercept({ path: pathname })
      .reply(302, '', { headers: { location: to } });
  }
  const last = new URL(steps.at(-1)?.to ?? '');
  let seen: Record<string, unknown> | undefined;
  agent
    .get(last.origin)
    .intercept({ path: last.pathname })
    .reply(200, (options) => {
      seen = Object.fromEntries(pairs(options.headers));
      return 'here';
    });
  const { statusCode } = await request(steps[0]?.from ?? '', { dispatcher: followRedirects(agent), headers });
  assert.equal(statusCode, 200);
  return seen;
}

function pairs(headers: unknown): [string, unknown][] {
  if (!Array.isArray(headers)) return Object.entries(headers as Record<string, unknown>);
  return Array.from({ length: headers.length / 2 }, (_, index) => [String(headers[2 * index]), headers[2 * index + 1]]);
}

const SECRET = { authorization: 'Bearer hf_secret', range: 'bytes=0-9' };

test('credentials stay with their origin, other headers go along', async () => {
  const within = await follow([{ from: 'https://hub/a', to: 'https://hub/b' }], SECRET);
  assert.deepEqual([within?.['authorization'], within?.['range']], [SECRET.authorization, SECRET.range]);
  for (const to of ['https://store/b', 'https://hub:8443/b', 'https://sub.hub/b']) {
    const seen = await follow([{ from: 'https://hub/a', to }], SECRET);
    assert.deepEqual([seen?.['authorization'], seen?.['range']], [undefined, SECRET.range], to);
  }
  const back = await follow(
    [
      { from: 'https://hub/a', to: 'https://store/b' },
      { from: 'https://store/b', to: 'https://hub/c' },
    ],
    SECRET,
  );
  assert.equal(back?.['authorization'], undefined);
});

test('a redirect from https to http is refused, at any step', async () => {
  const refused = (error: unknown) => redirectProblem(error) === 'the hub redirects to an address that is not secure';
  await assert.rejects(follow([{ from: 'https://hub/a', to: 'http://hub/b' }]), refused);
  await assert.rejects(
    follow([
      { from: 'http://hub/a', to: 'https://hub/b' },
      { from: 'https://hub/b', to: 'http://store/c' },
    ]),
    refused,
  );
  await follow([{ from: 'http://hub/a', to: 'http://store/b' }]);
  await follow([{ from: 'http://hub/a', to: 'https://store/b' }]);
});

test('errors that no redirect caused are not blamed on one', () => {
  assert.equal(redirectProblem(new Error('read ECONNRESET')), undefined);
});
