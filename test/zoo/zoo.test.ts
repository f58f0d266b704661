import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { before, after, describe, test } from 'node:test';
import { ask } from '../http/in-process.ts';
import { Carpool } from '../process/carpool.ts';
import { difference, embed, infer, sizesOf, type WireTensor } from './wire.ts';

/**
 * Small real models of the package registries (tools/zoo/make.py gathers them): every answer is that of Python onnxruntime,
 * alone and in company, or the model is refused with a reason. One model at a time, so that the zoo fits in little memory.
 */

const ZOO = process.env['CARPOOL_ZOO'];
const skip = ZOO === undefined ? 'no zoo: set CARPOOL_ZOO to the folder that tools/zoo/make.py filled' : false;
/** A part of an output's largest value. Sums in another order differ by less; a neighbour's influence by more. */
const TOLERANCE = 1e-5;
/** As many requests at once: a lane that is busy with the first lets the others share runs. */
const CROWD = 48;

/** Of a model of texts the request is a text, else tensors. */
interface Row {
  readonly text?: string;
  readonly inputs?: readonly WireTensor[];
  readonly outputs: readonly WireTensor[];
}

interface Answers {
  readonly rows: readonly Row[];
}

const names = ZOO === undefined ? [] : readdirSync(path.join(ZOO, 'models')).sort();

describe('the zoo', { skip }, () => {
  let carpool: Carpool | undefined;

  before(async () => {
    carpool = await Carpool.start({
      MODELS_DIR: path.join(ZOO ?? '', 'models'),
      MODEL_CONTROL: 'explicit',
      // The others are loaded when their turn comes.
      MODELS: 'magika',
      CPU_THREADS: '1',
    });
  });
  after(async () => {
    await carpool?.[Symbol.asyncDispose]();
  });

  for (const name of names)
    test(name, { timeout: 120_000 }, async (t) => {
      assert.ok(carpool !== undefined);
      const { url } = carpool;
      const control = async (what: 'load' | 'unload') =>
        ask(`${url}/v2/repository/models/${name}/${what}`, { method: 'POST' });
      const loaded = await control('load');
      if (loaded.status === 400) {
        const { error } = loaded.json as { error: string };
        // Refused by name, with a reason.
        assert.match(error, new RegExp(`'${name}': .*\\w`));
        t.diagnostic(`refused: ${error}`);
        return;
      }
      assert.equal(loaded.status, 200, JSON.stringify(loaded.json));
      try {
        const { rows } = await readAnswers(name);
        const sizes = sizesOf(rows);
        const check = async (index: number): Promise<number> => {
          const row = rows[index % rows.length];
          assert.ok(row !== undefined);
          const outputs =
            row.text === undefined ? await infer(url, name, row.inputs ?? []) : await embed(url, name, row.text);
          return Math.max(...row.outputs.map((output) => difference(output, outputs, sizes)));
        };
        let alone = 0;
        for (const index of rows.keys()) alone = Math.max(alone, await check(index));
        const company = Math.max(...(await Promise.all(Array.from({ length: CROWD }, (_, index) => check(index)))));
        t.diagnostic(
          `largest batch ${await largestBatch(carpool, name)}, off by ${alone} alone, ${company} in company`,
        );
        assert.ok(alone <= TOLERANCE, `off by ${alone} of the output's size, alone`);
        assert.ok(company <= TOLERANCE, `off by ${company} of the output's size, in company`);
      } finally {
        await control('unload');
      }
    });
});

async function readAnswers(name: string): Promise<Answers> {
  return JSON.parse(await readFile(path.join(ZOO ?? '', 'answers', `${name}.json`), 'utf8')) as Answers;
}

/** Rows in the largest run since the model was loaded. */
async function largestBatch(carpool: Carpool, model: string): Promise<number> {
  const { body } = await carpool.get(`/v2/models/${model}/stats`);
  const [statistics] = (body as { model_stats: { batch_stats: { batch_size: number }[] }[] }).model_stats;
  return Math.max(0, ...(statistics?.batch_stats.map(({ batch_size: rows }) => rows) ?? []));
}
