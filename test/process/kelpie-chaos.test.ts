import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kelpieStorm } from '../../tools/chaos/kelpie.ts';
import { hasFaults } from '../../tools/chaos/report.ts';
import { withoutS3 } from '../storage/s3-server.ts';

/** In small; `node dist/tools/chaos/main.js kelpie` has it in full. */

const LIMIT_MS = 240_000;
const skip =
  withoutS3 === false && process.env['CARPOOL_SLOW_TESTS'] === undefined ? 'CARPOOL_SLOW_TESTS is not set' : withoutS3;

test(
  'Kelpie: workers die, the API and the storage fail, leases are lost and jobs cancelled: every job ends once, and with its output',
  { skip, timeout: LIMIT_MS + 60_000 },
  async (t) => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 100_000);
    t.diagnostic(`SEED=${seed}`);
    const report = await kelpieStorm({ jobs: 12, workers: 3, seed, steps: 10, limitMs: LIMIT_MS });
    t.diagnostic(JSON.stringify(report));
    assert.ok(!hasFaults(report.faults), JSON.stringify(report.faults));
  },
);
