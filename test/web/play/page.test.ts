import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { SHIPPED_MODELS } from '../../process/carpool.ts';
import { scriptedChat } from '../../http/scripted-chat.ts';
import { startStubServer, type StubModel } from '../../http/stub-services.ts';
import { launchBrowser, noBrowser } from '../chromium.ts';

/** The playground in a real browser. */

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PICTURE = path.join(SHIPPED_MODELS, 'super-resolution', 'example.png');
const LIMIT_MS = 30_000;

const eyes: StubModel = {
  name: 'eyes',
  task: 'image-classification',
  serve: (item) =>
    Promise.resolve({ json: [{ label: item.kind === 'raw' ? item.contentType : 'not raw', score: 0.75 }] }),
};
const vectors: StubModel = {
  name: 'vectors',
  task: 'embeddings',
  isPlain: true,
  serve: (item) => {
    const text = item.kind === 'json' ? String(item.value) : '';
    const { buffer } = Float32Array.from(text.startsWith('same') ? [1, 0] : [0, 1]);
    return Promise.resolve({ json: { embedding: Buffer.from(buffer).toString('base64'), tokens: 1 } });
  },
};
const full: StubModel = { ...vectors, name: 'full', isFull: true };

/** Writes a word, and goes on until the client leaves, which it tells. */
function endless(onLeave: () => void): StubModel {
  return {
    name: 'endless',
    task: 'chat',
    async serve(_, { emit, cancelled }) {
      emit({ text: 'On and on', token_ids: [1] });
      await cancelled;
      onLeave();
      return { json: {} };
    },
  };
}

/** A view of the page, and what the browser's console says of mistakes. */
async function open(browser: Browser, url: string): Promise<{ page: Page; mistakes: string[] }> {
  const page = await browser.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  const mistakes: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') mistakes.push(message.text());
  });
  page.on('pageerror', (error) => mistakes.push(error.message));
  await page.goto(url);
  return { page, mistakes };
}

async function problemsOf(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(
    'axe.run(document, { resultTypes: ["violations"] })',
  );
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}

/** A picture that is being dragged, in the page. */
const dragged = (base64: string): string => `(() => {
  const carried = new DataTransfer();
  const bytes = Uint8Array.from(atob('${base64}'), (one) => one.charCodeAt(0));
  carried.items.add(new File([bytes], 'cat.png', { type: 'image/png' }));
  return carried;
})()`;

const send = (page: Page): Promise<void> => page.locator('.play-form button[type=submit]').click();

test('models are tried in the page', { skip: noBrowser, timeout: 180_000 }, async (t) => {
  await using talker = await scriptedChat('talker', 'hermes', ({ messages }) => `You said <b>${messages.length}</b>.`);
  let left: () => void = () => undefined;
  const hasLeft = new Promise<void>((resolve) => (left = resolve));
  await using server = await startStubServer([talker.model, eyes, vectors, full, endless(() => left())]);
  await using browser = await launchBrowser();

  await t.test('a chat streams, keeps its turns, and shows texts as they are', async () => {
    const { page, mistakes } = await open(browser, `${server.url}/#/play/talker`);
    const say = page.getByRole('textbox', { name: 'Message' });
    await say.fill('Hello');
    await say.press('Enter');
    await page.getByText('You said <b>1</b>.').waitFor();
    await say.fill('Again');
    await page.locator('.play-code', { hasText: 'Again' }).waitFor();
    await say.press('Enter');
    await page.getByText('You said <b>3</b>.').waitFor();
    await page.locator('.play-facts', { hasText: 'request' }).waitFor();
    assert.deepEqual(await problemsOf(page), []);
    assert.deepEqual(mistakes, []);
    await page.goto(`${server.url}/#/play/vectors`);
    await page.getByRole('heading', { name: 'Answer' }).waitFor();
    await page.goto(`${server.url}/#/play/talker`);
    await page.getByText('You said <b>3</b>.').waitFor();
    await page.close();
  });

  await t.test('a stop ends the request and keeps what has come', async () => {
    const { page } = await open(browser, `${server.url}/#/play/endless`);
    await page.getByRole('textbox', { name: 'Message' }).fill('Go');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('On and on').waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('stopped').waitFor();
    await hasLeft;
    await page.getByText('On and on').waitFor();
    await page.close();
  });

  await t.test('a picture is dropped and classified', async () => {
    const { page, mistakes } = await open(browser, `${server.url}/#/play/eyes`);
    await send(page);
    await page.getByText('Choose a picture first.').first().waitFor();
    const dataTransfer = await page.evaluateHandle(dragged(readFileSync(PICTURE).toString('base64')));
    await page.locator('.play-drop').dispatchEvent('drop', { dataTransfer });
    await page.getByText('cat.png, ').waitFor();
    await page.locator('.play-code', { hasText: '--data-binary @cat.png' }).waitFor();
    await send(page);
    await page.getByRole('row', { name: 'image/png 0.7500' }).waitFor();
    assert.deepEqual(await problemsOf(page), []);
    assert.deepEqual(mistakes, []);
    await page.close();
  });

  await t.test('texts are compared, and their time and batch are told', async () => {
    const { page, mistakes } = await open(browser, `${server.url}/#/play/vectors`);
    const texts = page.locator('.play-texts textarea');
    for (const [index, text] of ['same one', 'same two', 'other'].entries()) await texts.nth(index).fill(text);
    await send(page);
    const cells = page.locator('.play-matrix tbody td');
    await cells.first().waitFor();
    assert.deepEqual(await cells.allTextContents(), [
      '1.00',
      '1.00',
      '0.00',
      '1.00',
      '1.00',
      '0.00',
      '0.00',
      '0.00',
      '1.00',
    ]);
    await page.locator('.play-parts', { hasText: 'queue' }).waitFor();
    await page.locator('.play-facts', { hasText: 'batch' }).waitFor();
    await page.getByRole('button', { name: 'Python' }).click();
    await page.locator('.play-code', { hasText: 'client.embeddings.create(' }).waitFor();
    assert.deepEqual(await problemsOf(page), []);
    assert.deepEqual(mistakes, []);
    await page.close();
  });

  await t.test('a refusal is in the words of the server, and is counted down', async () => {
    const { page } = await open(browser, `${server.url}/#/play/full`);
    await send(page);
    await page.getByRole('alert').getByText('Queue is full.').waitFor();
    await page.getByRole('button', { name: 'Try again', exact: true }).and(page.locator(':enabled')).waitFor();
    assert.deepEqual(await problemsOf(page), []);
    await page.close();
  });
});
