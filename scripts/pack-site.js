import { readFileSync } from 'node:fs';
import path from 'node:path';
import { packFiles } from './pack-files.js';
import { escaped, sitePages } from './site-pages.js';

/** Run by the build: makes the site of the docs (`/docs/index.html`) from their Markdown, and packs it beside the code that serves it. */

const root = path.join(import.meta.dirname, '..');
const read = (...parts) => readFileSync(path.join(root, ...parts), 'utf8');

function navigation(contents, here) {
  const groups = contents.map(({ title, pages }) => {
    const links = pages.map(
      ({ name, title: page }) =>
        `<li><a href="${name}"${name === here ? ' aria-current="page"' : ''}>${escaped(page)}</a></li>`,
    );
    return `<h2>${escaped(title)}</h2>\n<ul>\n${links.join('\n')}\n</ul>`;
  });
  return groups.join('\n');
}

function document({ name, title, html }, contents) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title === 'Carpool' ? title : `${title} - Carpool`)}</title>
<link rel="icon" href="icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="base.css">
<link rel="stylesheet" href="site.css">
<script type="module" src="site.js"></script>
</head>
<body>
<a class="skip" href="#content">To the text</a>
<header>
<a class="name" href="index.html">Carpool</a>
<nav aria-label="Site"><a href="../">Server</a> <a href="index.html" aria-current="true">Docs</a> <a href="../docs">API</a></nav>
<div id="search"></div>
</header>
<div class="frame">
<details class="contents" open><summary>Pages</summary><nav aria-label="Pages">
${navigation(contents, name)}
</nav></details>
<main id="content" tabindex="-1">
${html}
</main>
</div>
</body>
</html>
`;
}

const { pages, contents } = sitePages(root);
const files = new Map(pages.map((page) => [page.name, document(page, contents)]));
files.set('base.css', read('web', 'base.css'));
files.set('site.css', read('web', 'docs', 'site.css'));
files.set('icon.svg', read('web', 'icon.svg'));
const script = (...parts) => read(...parts).replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '\n');
// A browser knows no names of packages, and all files of the site lie in one folder.
const MODULES = { minisearch: './minisearch.js', '../theme.js': './theme.js' };
let siteScript = script('dist', 'web', 'docs', 'site.js');
for (const [name, file] of Object.entries(MODULES)) {
  const quoted = [`'${name}'`, `"${name}"`].find((text) => siteScript.includes(text));
  if (quoted === undefined) throw new Error(`site.ts does not import ${name}`);
  siteScript = siteScript.replace(quoted, `'${file}'`);
}
files.set('site.js', siteScript);
files.set('theme.js', script('dist', 'web', 'theme.js'));
files.set('minisearch.js', script('node_modules', 'minisearch', 'dist', 'es', 'index.js'));
files.set('licences.txt', `minisearch\n\n${read('node_modules', 'minisearch', 'LICENSE.txt')}`);
files.set(
  'search.json',
  JSON.stringify(
    pages.flatMap(({ name, title, sections }) =>
      sections.map((section) => ({
        page: title,
        href: `${name}#${section.anchor}`,
        title: section.title,
        text: section.text.replaceAll(/\s+/g, ' ').trim(),
      })),
    ),
  ),
);
packFiles('The site of the docs', path.join(root, 'dist', 'src', 'web', 'site'), files);
