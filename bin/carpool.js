#!/usr/bin/env node
import { existsSync } from 'node:fs';

/** The command `carpool`: what was built, or one line that says how to build it. It is no TypeScript, because it runs before a build. */

const built = new URL('../dist/src/cli.js', import.meta.url);
const isInstalled = existsSync(new URL('../node_modules', import.meta.url));

if (existsSync(built)) await import(built.href);
else {
  const steps = isInstalled ? 'npm run build' : 'npm ci && npm run build';
  console.error(`carpool is not built yet: run \`${steps}\` first, or \`npm start\`, which builds and serves.`);
  process.exitCode = 1;
}
