import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Part of `npm run lint`: no import cycles in src/ and web/. Which folder may import which is in eslint.config.js; a cycle is what its rules
 * cannot see. Type-only imports count too: a cycle of types is a cycle in the reader's head.
 */

const root = path.join(import.meta.dirname, '..');
const files = ['src', 'web'].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true })
    .map((name) => path.join(folder, String(name)))
    .filter((name) => /\.tsx?$/.test(name)),
);
const imports = new Map(
  files.map((name) => {
    const text = readFileSync(path.join(root, name), 'utf8');
    const found = [...text.matchAll(/^\s*(?:import|export)\b[^;]*?from\s+'(\.[^']+)'/gms)].map(([, target]) =>
      path.normalize(path.join(path.dirname(name), target)),
    );
    return [name, found];
  }),
);

const done = new Set();
const cycles = [];

/** Walks the imports depth first; one that leads back into the trail closes a cycle. */
function walk(name, trail) {
  if (trail.includes(name)) cycles.push([...trail.slice(trail.indexOf(name)), name]);
  if (done.has(name) || trail.includes(name)) return;
  for (const target of imports.get(name) ?? []) walk(target, [...trail, name]);
  done.add(name);
}

for (const name of files) walk(name, []);
for (const cycle of cycles) console.error(`import cycle: ${cycle.join(' -> ')}`);
console.log(`${files.length} files, ${cycles.length} import cycles`);
if (cycles.length > 0) process.exitCode = 1;
