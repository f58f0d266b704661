import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import hljs from 'highlight.js/lib/common';
import dockerfile from 'highlight.js/lib/languages/dockerfile';
import { Marked } from 'marked';

/** Turns the Markdown of the README, of docs/ and of a few others into the pages of a site: HTML without scripts or styles within it, and what its search knows. */

hljs.registerLanguage('dockerfile', dockerfile);

/** Pages that lie elsewhere than in docs/, and their names on the site. */
const ELSEWHERE = {
  'README.md': 'readme.html',
  'deploy/README.md': 'deploy.html',
  'bench/README.md': 'bench.html',
  'load-tests/README.md': 'load-tests.html',
  'CONTRIBUTING.md': 'contributing.html',
  'CHANGELOG.md': 'changelog.html',
};
const INDEX = 'docs/README.md';

/** Every source and its name on the site. */
function namesOf(root) {
  const docs = readdirSync(path.join(root, 'docs'), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.md'));
  return new Map([
    [INDEX, 'index.html'],
    ...docs
      .filter((name) => name !== 'README.md')
      .map((name) => [`docs/${name}`, name.replace(/\.md$/, '.html').replaceAll('/', '-')]),
    ...Object.entries(ELSEWHERE).filter(([source]) => existsSync(path.join(root, source))),
  ]);
}

/**
 * The pages of the site: `{ name, title, html, sections: [{ anchor, title, text }] }`, with links between them, and `contents`, the groups of the index:
 * `[{ title, pages: [{ name, title }] }]`.
 */
export function sitePages(root) {
  const names = namesOf(root);
  const pages = [...names].map(([source, name]) => ({
    name,
    ...render(readFileSync(path.join(root, source), 'utf8'), source, names),
  }));
  return { pages, contents: contentsOf(readFileSync(path.join(root, INDEX), 'utf8'), names) };
}

function contentsOf(text, names) {
  return text
    .split(/^## /m)
    .slice(1)
    .map((group) => ({
      title: group.slice(0, group.indexOf('\n')),
      pages: [...group.matchAll(/\[([^\]]+)\]\(([^)#]+\.md)\)/g)].map(([, title, target]) => ({
        title: (title.charAt(0).toUpperCase() + title.slice(1)).replaceAll('`', ''),
        name: names.get(path.posix.join('docs', target)),
      })),
    }));
}

function render(text, source, names) {
  const sections = [];
  const anchors = new Map();
  let title = source;
  const note = (token) => {
    if (sections.length > 0) sections.at(-1).text += ` ${token}`;
  };
  const marked = new Marked({
    gfm: true,
    renderer: {
      heading({ tokens, depth, text: raw }) {
        const anchor = anchorOf(raw, anchors);
        const plain = plainText(tokens);
        if (depth === 1) title = plain;
        sections.push({ anchor, title: plain, text: '' });
        const link =
          depth === 1 ? '' : ` <a class="anchor" href="#${anchor}" aria-label="Link to: ${escaped(plain)}">#</a>`;
        return `<h${depth} id="${anchor}">${this.parser.parseInline(tokens)}${link}</h${depth}>\n`;
      },
      code({ text: code, lang }) {
        note(code);
        const html = lang && hljs.getLanguage(lang) ? hljs.highlight(code, { language: lang }).value : escaped(code);
        // Scrolled by keyboard, too.
        return `<pre tabindex="0"><code>${html}\n</code></pre>\n`;
      },
      table(token) {
        const cells = (row, tag) =>
          `<tr>${row.map(({ tokens }) => `<${tag}>${this.parser.parseInline(tokens)}</${tag}>`).join('')}</tr>`;
        const head = token.header.some(({ text: cell }) => cell !== '')
          ? `<thead>${headCells(token.header, this.parser)}</thead>`
          : '';
        for (const row of token.rows) note(row.map(({ tokens }) => plainText(tokens)).join(' '));
        return `<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>${head}<tbody>${token.rows.map((row) => cells(row, 'td')).join('\n')}</tbody></table></div>\n`;
      },
      paragraph({ tokens }) {
        note(plainText(tokens));
        return `<p>${this.parser.parseInline(tokens)}</p>\n`;
      },
      listitem({ tokens }) {
        note(plainText(tokens));
        return `<li>${this.parser.parse(tokens)}</li>\n`;
      },
      link({ href, tokens }) {
        const inner = this.parser.parseInline(tokens);
        const target = targetOf(href, source, names);
        return target === undefined ? inner : `<a href="${escaped(target)}">${inner}</a>`;
      },
      html({ text: html }) {
        return /^\s*<!--/.test(html) ? '' : html;
      },
    },
  });
  return { html: marked.parse(text), title, sections };
}

/** A first row without text is no heading; an empty cell of one that is has none either. */
function headCells(header, parser) {
  return `<tr>${header.map(({ text, tokens }) => (text === '' ? '<td></td>' : `<th scope="col">${parser.parseInline(tokens)}</th>`)).join('')}</tr>`;
}

/** Where a link leads on the site; undefined for files that are in the repository alone. */
function targetOf(href, source, names) {
  if (/^[a-z]+:/.test(href) || href.startsWith('#')) return href;
  const [file, anchor] = href.split('#');
  const name = names.get(path.posix.join(path.posix.dirname(source), file));
  return name === undefined ? undefined : `${name}${anchor === undefined ? '' : `#${anchor}`}`;
}

/** The anchor that GitHub gives a heading. */
function anchorOf(heading, used) {
  const anchor = heading
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Number}_\- ]/gu, '')
    .replaceAll(' ', '-');
  const count = used.get(anchor) ?? 0;
  used.set(anchor, count + 1);
  return count === 0 ? anchor : `${anchor}-${count}`;
}

function plainText(tokens) {
  return tokens.map((token) => (token.tokens === undefined ? (token.text ?? '') : plainText(token.tokens))).join('');
}

export function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
