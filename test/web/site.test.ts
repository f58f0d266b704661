import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { ask, startTestServer } from '../http/in-process.ts';
import { launchBrowser, noBrowser } from './chromium.ts';

/** The site of the docs, as the server sends it. */

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const LOOKS = [
  { colorScheme: 'light' },
  { colorScheme: 'dark' },
  { colorScheme: 'light', viewport: { width: 360, height: 740 } },
] as const;

interface Found {
  readonly id: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** All pages that can be reached from the first one, by name. */
async function allPages(url: string): Promise<Map<string, string>> {
  const pages = new Map<string, string>();
  const wanted = ['index.html'];
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (pages.has(name)) continue;
    const { status, headers, bytes } = await ask(`${url}/docs/${name}`);
    assert.equal(status, 200, name);
    assert.match(headers.get('content-security-policy') ?? '', /script-src 'self'; style-src 'self'/);
    const text = Buffer.from(bytes).toString();
    pages.set(name, text);
    wanted.push(...[...text.matchAll(/href="([\w-]+\.html)/g)].map(([, link = '']) => link));
  }
  return pages;
}

test('every page is there, and links lead to pages and headings that exist, also below a path', async () => {
  await using server = await startTestServer({ MODELS: 'square', API_KEY: 'secret' });
  const pages = await allPages(server.url);
  assert.ok(pages.size > 30 && pages.has('coming-from-triton.html') && pages.has('readme.html'));
  for (const [name, text] of pages) {
    assert.doesNotMatch(text, /<style|<script(?! type="module" src="site\.js"><\/script>)| style="| on\w+="/, name);
    for (const [, link = ''] of text.matchAll(/(?:href|src)="([^"]+)"/g)) {
      if (/^https?:/.test(link) || ['../', '../docs'].includes(link)) continue;
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? text : pages.get(file);
      if (target === undefined) assert.equal((await ask(`${server.url}/docs/${file}`)).status, 200, `${name}: ${link}`);
      else if (anchor !== undefined)
        assert.ok(target.includes(`id="${decodeURIComponent(anchor)}"`), `${name}: ${link}`);
    }
  }
  assert.equal((await ask(`${server.url}/docs/nothing.html`)).status, 404);
});

test('the pages read well, and can be searched', { skip: noBrowser, timeout: 180_000 }, async (t) => {
  await using server = await startTestServer({ MODELS: 'square' });
  await using browser = await launchBrowser();

  await t.test('axe finds nothing wrong in light, dark and narrow, and nothing is cut off', async () => {
    for (const look of LOOKS) {
      const page = await (await browser.newContext(look)).newPage();
      for (const name of ['index.html', 'first-model.html', 'operations.html']) {
        await page.goto(`${server.url}/docs/${name}`);
        await page.getByRole('searchbox').waitFor({ timeout: 60_000 });
        await page.evaluate(AXE);
        const script = 'axe.run(document, { resultTypes: ["violations"] })';
        const { violations } = await page.evaluate<{ violations: Found[] }>(script);
        const found = violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
        assert.deepEqual(found, [], `${name} ${JSON.stringify(look)}`);
        assert.ok(await page.evaluate<boolean>('document.documentElement.scrollWidth <= innerWidth'), name);
      }
    }
  });

  await t.test('a search is made by keyboard, and leads to the place', async () => {
    const page = await browser.newPage();
    const mistakes: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') mistakes.push(message.text());
    });
    page.on('pageerror', (error) => void mistakes.push(error.message));
    await page.goto(`${server.url}/docs/index.html`);
    await page.keyboard.press('/');
    await page.keyboard.type('carpool_predicted_wait');
    await page.locator('#results a').first().waitFor({ timeout: 60_000 });
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.waitForURL(/(operations|kubernetes|tuning|runbook|changelog)\.html#/, { timeout: 60_000 });
    await page.getByRole('searchbox').fill('zzzzzz');
    await page.getByText('Nothing was found.').waitFor({ timeout: 60_000 });
    assert.deepEqual(mistakes, []);
  });

  await t.test('a block of code is copied, and colours are those chosen for the page', async () => {
    const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    await page.goto(`${server.url}/docs/first-model.html`);
    await page.evaluate('localStorage.setItem("carpool-theme", "dark")');
    await page.reload();
    const copy = page.getByRole('button', { name: 'Copy' }).nth(1);
    await copy.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    const [copied, theme] = await page.evaluate<[string, string]>(
      'navigator.clipboard.readText().then((text) => [text, document.documentElement.dataset.theme])',
    );
    assert.match(copied, /^curl localhost:8000\/predict\/my-model -d '\{"data": 3\}'$/);
    assert.equal(theme, 'dark');
  });
});
