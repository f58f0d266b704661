import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { countCores } from '../../src/lanes/cores.ts';
import { planLanes } from '../../src/lanes/plan.ts';

type Files = Readonly<Record<string, string>>;

/** Cores with these cgroups (/proc/self/cgroup) and files below /sys/fs/cgroup, on a machine of 16. */
async function cores(cgroups: string, files: Files, available = 16) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-cgroup-'));
  try {
    const root = path.join(folder, 'sys');
    await mkdir(root);
    for (const [name, content] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(root, name)), { recursive: true });
      await writeFile(path.join(root, name), `${content}\n`);
    }
    await writeFile(path.join(folder, 'cgroup'), cgroups);
    return countCores({ available, cgroupFile: path.join(folder, 'cgroup'), root });
  } finally {
    await rm(folder, { recursive: true });
  }
}

const V1 = '12:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n0::/system.slice\n';
const v1 = (folder: string, quota: number): Files => ({
  [`${folder}/cpu.cfs_quota_us`]: String(quota),
  [`${folder}/cpu.cfs_period_us`]: '100000',
});

/** What it is, /proc/self/cgroup, files, and the cores. */
const cases: readonly (readonly [string, string, Files, number])[] = [
  ['no cgroups', '', {}, 16],
  ['v2, a container', '0::/\n', { 'cpu.max': '200000 100000' }, 2],
  ['v2, no quota', '0::/\n', { 'cpu.max': 'max 100000' }, 16],
  ['v2, 1.5 cores', '0::/\n', { 'cpu.max': '150000 100000' }, 1],
  ['v2, 3.9 cores', '0::/\n', { 'cpu.max': '390000 100000' }, 3],
  ['v2, 0.25 cores', '0::/\n', { 'cpu.max': '25000 100000' }, 1],
  ['v2, another period', '0::/\n', { 'cpu.max': '40000 10000' }, 4],
  ['v2, more than there are', '0::/\n', { 'cpu.max': '6400000 100000' }, 16],
  [
    'v2, nested: its own',
    '0::/a/b\n',
    { 'cpu.max': 'max 100000', 'a/cpu.max': '800000 100000', 'a/b/cpu.max': '300000 100000' },
    3,
  ],
  ['v2, nested: one above', '0::/a/b\n', { 'a/cpu.max': '200000 100000', 'a/b/cpu.max': '900000 100000' }, 2],
  ['v2, nested: not of a neighbour', '0::/a\n', { 'b/cpu.max': '100000 100000' }, 16],
  ["v2, the host's path in a container", '0::/kubepods/pod1/abc\n', { 'cpu.max': '500000 100000' }, 5],
  ["v2, outside its namespace's root", '0::/../../other\n', { 'cpu.max': '500000 100000' }, 5],
  ['v2, an unreadable quota', '0::/\n', { 'cpu.max': '' }, 16],
  ['v1, a container', V1, v1('cpu,cpuacct', 250_000), 2],
  ['v1, mounted as cpu', V1, v1('cpu', 600_000), 6],
  ['v1, by its path', V1, { ...v1('cpu', -1), ...v1('cpu/docker/abc', 400_000) }, 4],
  ['v1, no quota', V1, v1('cpu', -1), 16],
  ['v1, not of another controller', '3:memory:/\n', v1('cpu', 100_000), 16],
  ['v1 and v2 beside each other', `${V1}0::/\n`, { ...v1('cpu', 700_000), 'unified/cpu.max': '300000 100000' }, 3],
];
for (const [what, cgroups, files, count] of cases)
  test(`cores by cgroup: ${what}: ${count}`, async () => {
    assert.equal((await cores(cgroups, files)).count, count);
  });

test('the cores that the scheduler allows are the upper bound, and the limit is reported', async () => {
  assert.deepEqual(await cores('0::/\n', { 'cpu.max': '800000 100000' }, 2), { count: 2 });
  const { count, limit } = await cores('0::/\n', { 'cpu.max': '250000 100000' });
  assert.deepEqual([count, limit], [2, 'a cgroup quota of 2.5 of 16 cores']);
  const { lanes, why } = planLanes({
    device: 'auto',
    lanes: 0,
    laneThreads: 0,
    cores: count,
    coresLimit: limit,
    gpus: [],
  });
  assert.deepEqual([lanes.length, lanes[0]?.intraOpThreads], [1, 1]);
  assert.match(why, /2 cores \(a cgroup quota of 2.5 of 16 cores\)/);
});

test('this machine has a core', () => {
  assert.ok(countCores().count >= 1);
});
