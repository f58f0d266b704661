import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { post, startTestServer } from '../http/in-process.ts';
import { launchBrowser, noBrowser } from './chromium.ts';

/** The page of `/` in a real browser, with a real server behind it. */

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const MODELS = { MODELS: 'square,language-id' };
const LOOKS = [
  { colorScheme: 'light' },
  { colorScheme: 'dark' },
  { colorScheme: 'light', viewport: { width: 360, height: 740 } },
] as const;

interface Found {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** The first figure, once there are answers. */
function answered(page: Page): Locator {
  return page
    .locator('.tile')
    .first()
    .locator('.value')
    .filter({ hasNotText: /^0\/s$/ });
}

/** What axe finds wrong with what the page shows. */
async function problemsOf(page: Page): Promise<string[]> {
  // Evaluated by the debugger, to which the page's policy does not apply.
  await page.evaluate(AXE);
  const script = 'axe.run(document, { resultTypes: ["violations"] })';
  const { violations } = await page.evaluate<{ violations: Found[] }>(script);
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary ?? ''}`),
  );
}

/** The page, and what its console says of mistakes. */
async function open(
  browser: Awaited<ReturnType<typeof launchBrowser>>,
  url: string,
  look: { readonly colorScheme?: 'light' | 'dark'; readonly viewport?: { width: number; height: number } } = {},
): Promise<{ readonly page: Page; readonly mistakes: string[] }> {
  const page = await (await browser.newContext(look)).newPage();
  page.setDefaultTimeout(60_000);
  const mistakes: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) mistakes.push(message.text());
  });
  page.on('pageerror', (error) => mistakes.push(error.message));
  await page.goto(url);
  return { page, mistakes };
}

test('the page shows what the server does', { skip: noBrowser, timeout: 180_000 }, async (t) => {
  await using server = await startTestServer({ ...MODELS, MODEL_CONTROL: 'explicit' });
  await using browser = await launchBrowser();

  await t.test('and a run and its requests can be picked, by keyboard alone', async () => {
    const { page, mistakes } = await open(browser, server.url);
    await page.getByText('No request yet').waitFor();
    await post(`${server.url}/predict/square`, '{"data":3}', { 'X-Request-Id': 'picked-by-hand' });
    await answered(page).waitFor();
    await page.getByText('No request yet').waitFor({ state: 'detached' });
    await page.locator('.lanes').focus();
    await page.keyboard.press('ArrowLeft');
    await page.getByRole('heading', { name: '1 item of square' }).waitFor();
    await page.getByRole('button', { name: 'picked-by-hand' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('.journey').getByText('on lane 0 with square, alone').waitFor();
    assert.deepEqual(mistakes, []);
  });

  await t.test('axe finds nothing wrong with it in light, dark and narrow, and it fits', async () => {
    await Promise.all(
      LOOKS.map(async (look) => {
        const { page, mistakes } = await open(browser, server.url, look);
        await page.getByRole('heading', { name: 'Models' }).waitFor();
        await post(`${server.url}/predict/square`, '{"data":3}');
        await answered(page).waitFor();
        await page.locator('.lanes').focus();
        await page.keyboard.press('ArrowLeft');
        await page.locator('.riders button').first().click();
        await page.locator('.journey').waitFor();
        assert.deepEqual(await problemsOf(page), [], JSON.stringify(look));
        const [width, room] = await page.evaluate<[number, number]>(
          '[document.documentElement.scrollWidth, innerWidth]',
        );
        assert.ok(width <= room, `${width} pixels wide in ${room}`);
        assert.deepEqual(mistakes, []);
      }),
    );
  });

  await t.test('and models can be unloaded, which is asked for twice, and loaded', async () => {
    const { page } = await open(browser, server.url);
    const row = page.getByRole('row', { name: /square/ });
    await row.getByRole('button', { name: 'Unload' }).click();
    await row.getByRole('button', { name: 'Really unload square?' }).click();
    await row.getByText('Not loaded').waitFor();
    await row.getByRole('button', { name: 'Load' }).click();
    await row.getByText('Ready').waitFor();
  });
});

test(
  'with keys the page asks for one, and it comes back when the server does',
  { skip: noBrowser, timeout: 180_000 },
  async (t) => {
    const options = { MODELS: 'square', API_KEY: 'secret' };
    await using browser = await launchBrowser();
    let port: number;
    let page: Page;
    {
      await using server = await startTestServer(options);
      port = server.port;
      ({ page } = await open(browser, server.url));
      await page.getByLabel('API key').fill('wrong');
      await page.getByRole('button', { name: 'Use it' }).click();
      await page.getByText('The API key is not valid.').waitFor();
      assert.deepEqual(await problemsOf(page), []);
      await page.getByLabel('API key').fill('secret');
      await page.getByRole('button', { name: 'Use it' }).click();
      await page.getByRole('heading', { name: 'Models' }).waitFor();
    }
    await page.getByText('Disconnected.').waitFor();
    const again = await startTestServer({ ...options, PORT: String(port) });
    t.after(() => again.drain());
    await page.getByText('Disconnected.').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Forget key' }).click();
    await page.getByLabel('API key').waitFor();
  },
);
