import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import type { LookupAddress } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { resolveBySystem, resolvePublic } from '../../src/outbound/host-names.ts';

const A = 1;
const AAAA = 28;

/** A resolver that asks a name server of the test (RFC 1035): `answers` has the data of a record by its type; names that begin with `silent` get none. */
async function resolverOf(t: TestContext, answers: Readonly<Record<number, readonly number[]>>): Promise<Resolver> {
  const server = createSocket('udp4');
  server.on('message', (query, { port, address }) => {
    if (query.includes('silent')) return;
    const question = query.subarray(12, query.indexOf(0, 12) + 5);
    const data = answers[question.readUInt16BE(question.length - 4)];
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(data === undefined ? 0 : 1, 6);
    // The name is that of the question; class IN, a minute, the length of the data.
    const type = question.subarray(question.length - 4, question.length - 2);
    const record =
      data === undefined
        ? []
        : [Buffer.from([0xc0, 12]), type, Buffer.from([0, 1, 0, 0, 0, 60, 0, data.length]), Buffer.from(data)];
    server.send(Buffer.concat([head, question, ...record]), port, address);
  });
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const resolver = new Resolver({ timeout: 50, tries: 1 });
  resolver.setServers([`127.0.0.1:${server.address().port}`]);
  return resolver;
}

test('a name has the addresses of both families', async (t) => {
  const both = await resolverOf(t, {
    [A]: [192, 0, 2, 1],
    [AAAA]: [0x20, 1, 0xd, 0xb8, ...new Array<number>(11).fill(0), 1],
  });
  assert.deepEqual(await resolvePublic('images.example', both), [
    { address: '192.0.2.1', family: 4 },
    { address: '2001:db8::1', family: 6 },
  ]);
  const one = await resolverOf(t, { [A]: [192, 0, 2, 1] });
  assert.deepEqual(await resolvePublic('images.example', one), [{ address: '192.0.2.1', family: 4 }]);
});

test('two names at a time are looked up by the system', async () => {
  const asked: (() => void)[] = [];
  const ask = () =>
    new Promise<LookupAddress[]>((resolve) => asked.push(() => resolve([{ address: '192.0.2.1', family: 4 }])));
  const names = ['a', 'b', 'c'].map((name) => resolveBySystem(name, ask));
  await setImmediate();
  assert.equal(asked.length, 2);
  for (let next = asked.shift(); next !== undefined; next = asked.shift()) {
    next();
    await setImmediate();
  }
  assert.equal((await Promise.all(names)).length, 3);
});

test('a name without addresses, or whose server does not answer, fails', async (t) => {
  const resolver = await resolverOf(t, {});
  await assert.rejects(resolvePublic('nothing.example', resolver), { code: 'ENODATA' });
  await assert.rejects(resolvePublic('silent.example', resolver), { code: 'ETIMEOUT' });
});
