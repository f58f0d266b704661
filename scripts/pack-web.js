import { readFileSync } from 'node:fs';
import path from 'node:path';
import typescript from 'typescript';
import { digestOfAll, packFiles } from './pack-files.js';

/**
 * Run by the build: packs the page of `/` (web/) beside the code that serves it. The modules stay as the compiler wrote them, but for the names of
 * packages, which a browser does not know: those become the paths of the packages' own files. A browser loads them without a bundler, and the folder's name
 * changes with its content, so that everything in it may be kept for good.
 */

const root = path.join(import.meta.dirname, '..');
const built = path.join(root, 'dist', 'web');
const to = path.join(root, 'dist', 'src', 'web', 'ui');
const ENTRY = 'main.js';

/** Packages that the page uses: the file of each that a browser can load, and where it goes. */
const PACKAGES = {
  preact: { file: 'preact/dist/preact.mjs', as: 'vendor/preact.js' },
  'preact/hooks': { file: 'preact/hooks/dist/hooks.mjs', as: 'vendor/preact-hooks.js' },
  'preact/jsx-runtime': { file: 'preact/jsx-runtime/dist/jsxRuntime.mjs', as: 'vendor/preact-jsx.js' },
  // Its module is not minified; this file is, and leaves a variable.
  uplot: { file: 'uplot/dist/uPlot.iife.min.js', as: 'vendor/uplot.js', end: '\nexport default uPlot;\n' },
};

/** Files that are no modules, and their types. */
const OTHERS = {
  'base.css': { file: path.join(root, 'web', 'base.css') },
  'style.css': { file: path.join(root, 'web', 'style.css') },
  'dashboard/style.css': { file: path.join(root, 'web', 'dashboard', 'style.css') },
  'play/style.css': { file: path.join(root, 'web', 'play', 'style.css') },
  'icon.svg': { file: path.join(root, 'web', 'icon.svg') },
  'vendor/uplot.css': { file: path.join(root, 'node_modules', 'uplot/dist/uPlot.min.css') },
  'vendor/licences.txt': { file: undefined },
};

const files = new Map();

/** Adds a module and all that it imports. */
function addModule(name, text) {
  if (files.has(name)) return;
  files.set(name, '');
  const source = text.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '\n');
  let out = '';
  let done = 0;
  for (const { fileName, pos, end } of typescript.preProcessFile(source, true, true).importedFiles) {
    const target = targetOf(name, fileName);
    const relative = path.posix.relative(path.posix.dirname(name), target);
    // The position is that of the text between the quotes, or with them, by the version of the compiler.
    const at = source.indexOf(fileName, pos);
    if (at < 0 || at > end) throw new Error(`${name}: ${fileName} is not where it was found`);
    out += source.slice(done, at) + (relative.startsWith('.') ? relative : `./${relative}`);
    done = at + fileName.length;
  }
  files.set(name, out + source.slice(done));
}

/** The place of what a module imports, which is added. */
function targetOf(name, specifier) {
  if (specifier.startsWith('.')) {
    const target = path.posix.join(path.posix.dirname(name), specifier);
    addModule(target, readFileSync(path.join(built, target), 'utf8'));
    return target;
  }
  const found = PACKAGES[specifier];
  if (found === undefined) throw new Error(`${name}: no file of the package ${specifier} is known here`);
  addModule(found.as, readFileSync(path.join(root, 'node_modules', found.file), 'utf8') + (found.end ?? ''));
  return found.as;
}

/** The licences of what is packed with the page. */
function licences() {
  return ['preact', 'uplot']
    .map((name) => `${name}\n\n${readFileSync(path.join(root, 'node_modules', name, 'LICENSE'), 'utf8')}`)
    .join('\n\n');
}

addModule(ENTRY, readFileSync(path.join(built, ENTRY), 'utf8'));
for (const [name, { file }] of Object.entries(OTHERS))
  files.set(name, file === undefined ? licences() : readFileSync(file, 'utf8'));
const build = digestOfAll(files);
// Asked for at once, instead of one after the other as each module names the next.
const preloads = [...files.keys()]
  .filter((name) => name.endsWith('.js'))
  .map((name) => `<link rel="modulepreload" href="ui/${build}/${name}">`)
  .join('\n');
const page = readFileSync(path.join(root, 'web', 'index.html'), 'utf8');
files.set('index.html', page.replaceAll('{build}', build).replace('{preloads}', preloads));
packFiles('The page', to, files, build);
