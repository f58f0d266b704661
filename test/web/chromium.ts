import { spawnSync } from 'node:child_process';
import { chromium, type Browser } from 'playwright-core';

/** Debian's Chromium, for tests of the page in a real browser. */

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** The path of the browser; undefined if there is none. */
function findBrowser(): string | undefined {
  for (const name of NAMES) {
    const { status, stdout } = spawnSync('which', [name], { encoding: 'utf8', timeout: 10_000 });
    if (status === 0) return stdout.trim();
  }
  return undefined;
}

const found = findBrowser();

/** Why tests with a browser cannot run here; false if they can. */
export const noBrowser: string | false = found === undefined ? `no browser here (${NAMES.join(', ')})` : false;

export async function launchBrowser(): Promise<Browser & AsyncDisposable> {
  const browser = await chromium.launch({
    ...(found === undefined ? {} : { executablePath: found }),
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    timeout: 60_000,
  });
  return Object.assign(browser, { [Symbol.asyncDispose]: () => browser.close() });
}
