import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium, type Browser, type Page } from 'playwright-core';
import { startStubServer } from '../../test/http/stub-services.ts';
import { Carpool } from '../../test/process/carpool.ts';
import { startCrowd } from './crowd.ts';
import { FORMS, tryForm } from './forms.ts';
import { makeModels } from './models.ts';

/**
 * Pictures of the page of `/` in each of its states, light, dark and narrow: `node dist/tools/screenshots/main.js <folder> [state ...]`. Needs Chromium,
 * at CHROMIUM or /usr/bin/chromium.
 */

const LOOKS = [
  { name: 'light', colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  { name: 'dark', colorScheme: 'dark', viewport: { width: 1280, height: 800 } },
  { name: 'narrow', colorScheme: 'light', viewport: { width: 390, height: 800 } },
] as const;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Long enough for plots and lanes to show something. */
const WARM_UP_MS = 8000;
const WANTED_FORMS = process.env['FORMS']?.split(',');
const MODELS = { MODELS: 'language-id,square,super-resolution' };

const DOCS = [
  'index',
  'readme',
  'first-model',
  'api',
  'configuration',
  'chat',
  'operations',
  'tuning',
  'cli',
  'changelog',
];

type Shoot = (name: string, url: string, act?: (page: Page) => Promise<unknown>) => Promise<void>;

const STATES: Readonly<Record<string, (shoot: Shoot) => Promise<void>>> = {
  async empty(shoot) {
    await using server = await startStubServer([]);
    await shoot('empty', server.url);
  },
  async quiet(shoot) {
    await using server = await Carpool.start(MODELS);
    await shoot('quiet', server.url);
  },
  async key(shoot) {
    await using server = await startStubServer([], { API_KEY: 'secret' });
    await shoot('key', server.url);
  },
  async busy(shoot) {
    await using server = await Carpool.start({ ...MODELS, MODEL_CONTROL: 'explicit' });
    await using load = startLoad(server.url, 24);
    await shoot('busy', server.url, async (page) => {
      await sleep(WARM_UP_MS);
      await page.locator('.lanes').focus();
      await page.keyboard.press('ArrowLeft');
      await page.locator('.riders button').first().click();
    });
    await load.stop();
    await shoot('after', server.url);
  },
  async refused(shoot) {
    const small = { 'language-id': { queue: { maxItems: 12 }, batching: { maxItems: 4 } } };
    await using server = await Carpool.start({ ...MODELS, MODEL_OPTIONS: JSON.stringify(small) });
    await using load = startLoad(server.url, 200);
    await shoot('refused', server.url, () => sleep(WARM_UP_MS));
    await load.stop();
  },
  /** 50 models, 16 lanes, 1,000 jobs, names of 200 characters. */
  async crowd(shoot) {
    await using server = await startStubServer([]);
    await using crowd = await startCrowd(server.url);
    await shoot('crowd', crowd.url, async (page) => {
      await sleep(WARM_UP_MS);
      await page.locator('.lanes').focus();
      await page.keyboard.press('ArrowLeft');
      await page.locator('.riders button').first().click();
    });
  },
  /** What a fresh server's button shows. */
  async burst(shoot) {
    await using server = await Carpool.start(MODELS);
    const looks = LOOKS.length;
    let opened = 0;
    await shoot('burst', server.url, async (page) => {
      // All see it before one has used it.
      const button = page.getByRole('button', { name: /^Send/ });
      await button.waitFor();
      opened += 1;
      while (opened < looks) await sleep(50);
      await button.click();
      await page.getByText('at a time:').waitFor();
    });
  },
  /** Pages of the docs. */
  async docs(shoot) {
    await using server = await startStubServer([]);
    for (const name of DOCS) await shoot(`docs-${name}`, `${server.url}/docs/${name}.html`);
  },
  async jobs(shoot) {
    const folder = mkdtempSync(path.join(tmpdir(), 'carpool-screenshots-'));
    try {
      await using server = await Carpool.start({ ...MODELS, JOBS_DIR: folder });
      for (let count = 0; count < 5; count++)
        await server.post('/v1/jobs', { custom_id: `number ${count}`, url: '/predict/square', body: { data: count } });
      await shoot('jobs', server.url, () => sleep(WARM_UP_MS));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  async failed(shoot) {
    await using server = await startStubServer([
      { name: 'talker', task: 'chat', serve: () => new Promise(() => undefined) },
    ]);
    server.state.enter('failed', 'lane 0 has been in one run for 60 s');
    await shoot('failed', server.url);
  },
  async draining(shoot) {
    await using server = await startStubServer([
      { name: 'talker', task: 'chat', serve: () => new Promise(() => undefined) },
    ]);
    server.state.enter('draining', 'asked to stop');
    await shoot('draining', server.url);
  },
  /** Each form of the playground with an answer. `FORMS=clip,ner`: only these. */
  async forms(shoot) {
    const folder = mkdtempSync(path.join(tmpdir(), 'carpool-screenshots-'));
    try {
      makeModels(folder);
      await using server = await Carpool.start({
        MODELS_DIR: folder,
        MODEL_LOADING: 'lazy',
        MODEL_KEEP_LOADED_MS: '0',
      });
      await shoot('form', `${server.url}/#/play`);
      for (const [name, form] of Object.entries(FORMS))
        if (WANTED_FORMS?.includes(name) ?? true)
          await shoot(`form-${name}`, '', (page) => tryForm(page, server.url, form));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  async disconnected(shoot) {
    await shoot('disconnected', '', async (page) => {
      await using server = await Carpool.start(MODELS);
      await page.goto(server.url);
      await using load = startLoad(server.url, 4);
      await sleep(4000);
      await load.stop();
      server.signal('SIGTERM');
      await server.exit();
      await page.getByText('Disconnected.').waitFor();
    });
  },
};

/** Clients that ask again and again. */
function startLoad(url: string, clients: number): AsyncDisposable & { stop: () => Promise<void> } {
  let isOver = false;
  const post = (model: string, body: unknown): Promise<unknown> =>
    fetch(`${url}/predict/${model}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    }).then((reply) => reply.arrayBuffer());
  const text = 'Wo ist der Bahnhof, bitte? '.repeat(40);
  const loops = Array.from({ length: clients }, async (_, index) => {
    while (!isOver) {
      await (index % 4 === 3 ? post('square', { data: index }) : post('language-id', { data: text })).catch(() =>
        sleep(50),
      );
      await sleep(Math.random() * 20);
    }
  });
  const stop = async (): Promise<void> => {
    isOver = true;
    await Promise.all(loops);
  };
  return { stop, [Symbol.asyncDispose]: stop };
}

/** What axe says of the page, and whether it is wider than the screen. */
async function problemsOf(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(
    'axe.run(document, { resultTypes: ["violations"] })',
  );
  const isWide = await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth');
  return [
    ...violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`)),
    ...(isWide ? ['wider than the screen'] : []),
  ];
}

async function shootAll(browser: Browser, folder: string, states: readonly string[]): Promise<void> {
  const shoot: Shoot = async (name, url, act) => {
    // One after the other is slow where each waits for a server to be busy; so all wait together.
    await Promise.all(
      LOOKS.map(async ({ name: look, ...options }) => {
        const context = await browser.newContext(options);
        const page = await context.newPage();
        page.on('console', (message) => {
          if (message.type() === 'error' || message.type() === 'warning')
            console.error(`${name} ${look}: ${message.text()}`);
        });
        page.on('pageerror', (error) => console.error(`${name} ${look}: ${error.message}`));
        if (url !== '') await page.goto(url);
        await act?.(page).catch((error: unknown) => console.error(`${name} ${look}: ${String(error)}`));
        await sleep(1500);
        for (const problem of await problemsOf(page)) console.error(`${name} ${look}: ${problem}`);
        await page.screenshot({ path: path.join(folder, `${name}-${look}.png`), fullPage: true });
        await context.close();
      }),
    );
  };
  for (const state of states) await STATES[state]?.(shoot);
}

const [, , folder, ...wanted] = process.argv;
// Every program of dist may be run by mistake, without arguments.
if (folder === undefined) console.error(`Usage: main.js <folder> [${Object.keys(STATES).join(' ')}]`);
else {
  mkdirSync(folder, { recursive: true });
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  try {
    await shootAll(browser, folder, wanted.length > 0 ? wanted : Object.keys(STATES));
  } finally {
    await browser.close();
  }
}
