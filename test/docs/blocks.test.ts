import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { Carpool } from '../process/carpool.ts';
import { blocksOf, rolesOf, type Block } from './blocks.ts';
import { CHECKS } from './checks.ts';
import { PAGES, readDocument } from './documents.ts';
import { runPage, type Page } from './run-page.ts';
import { modelFolders, sharedServer, Workshop } from './scratch.ts';
import { difference } from './shown.ts';

const pages: Page[] = PAGES.map((name) => {
  const blocks = blocksOf(name, readDocument(name));
  return { name, blocks, roles: rolesOf(blocks) };
});

const models = modelFolders();
const workshop = new Workshop();
let server: Carpool;

before(async () => {
  server = await Carpool.start(sharedServer(workshop.makeClone('server', models).clone));
});

after(async () => {
  server.signal('SIGTERM');
  await server.exit();
  workshop.remove();
});

test('every block of the pages is tested, or a comment above it says why not', () => {
  const untold = pages.flatMap(({ blocks, roles }) => blocks.filter((_, index) => roles[index] === undefined));
  assert.deepEqual(
    untold.map(({ page, line, text }) => `${page}:${line}: ${text.slice(0, 60)}`),
    [],
  );
});

const programs = new Map<string, boolean>();

function has(program: string): boolean {
  const known = programs.get(program) ?? spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
  programs.set(program, known);
  return known;
}

// Two at a time: a page mostly waits for the start of a server of its own, or for a model of the shared one.
describe('the blocks of', { concurrency: 2 }, () => {
  for (const page of pages)
    test(`${page.name} do what the page says`, { timeout: 300_000 }, async (t) => {
      for (const [index, block] of page.blocks.entries()) if (page.roles[index] === 'checked') await check(block);
      const { problems, skipped } = await runPage(page, { workshop, models, sharedPort: server.port, has });
      for (const why of skipped) t.diagnostic(`not run: ${why}`);
      assert.deepEqual(problems, [], problems.join('\n\n'));
    });
});

/** Throws unless the block is what the comment above it says. */
async function check(block: Block): Promise<void> {
  const [, kind = '', argument = ''] = /^(predict|same as)? ?(.*)$/.exec(block.notes.get('checked as') ?? '') ?? [];
  const at = `${block.page}:${block.line}`;
  if (kind === 'same as') assert.equal(`${block.text}\n`, readDocument(argument), at);
  else if (kind === 'predict') await checkPrediction(block, argument);
  else {
    const checkText = CHECKS[argument];
    assert.ok(checkText !== undefined, `${at}: there is no check of a ${argument}`);
    try {
      checkText(block.text);
    } catch (error) {
      throw new Error(`${at}: ${String(error)}`, { cause: error });
    }
  }
}

/** `item -> reply`, or `item, parameters -> reply`, several one after another. */
async function checkPrediction(block: Block, model: string): Promise<void> {
  for (const [, asked = '', shown = ''] of block.text.matchAll(/^(\S.*?)\s+->\s+(.*(?:\n .*)*)/gm)) {
    const [data, parameters] = JSON.parse(`[${asked}]`) as [unknown, unknown];
    const { body } = await server.post(`/predict/${model}`, {
      data,
      ...(parameters === undefined ? {} : { parameters }),
    });
    const found = difference(shown, JSON.stringify((body as { result?: unknown }).result ?? body));
    assert.equal(found, undefined, `${block.page}:${block.line}: ${found}`);
  }
}

test('a page whose block fails, or prints something else, is found out', async () => {
  const text =
    '# A\n```sh\ncurl localhost:8000/predict/square -d \'{"data": 7}\'\n```\n```json\n{"result": 48}\n```\n```sh\ncurl localhost:8000/nowhere\n```\n';
  const blocks = blocksOf('wrong.md', text);
  const { problems } = await runPage(
    { name: 'wrong.md', blocks, roles: rolesOf(blocks) },
    { workshop, models, sharedPort: server.port, has },
  );
  assert.match(problems[0] ?? '', /wrong\.md:5: \$\.result is 49, not 48/);
  assert.match(problems[1] ?? '', /wrong\.md:8: .*22/s);
  assert.equal(problems.length, 2);
});
