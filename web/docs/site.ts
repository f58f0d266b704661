import type MiniSearch from 'minisearch';
import { currentTheme } from '../theme.ts';

/** The search of the docs. Its index is made in the browser, when somebody first looks for something. */

interface Section {
  readonly href: string;
  readonly page: string;
  readonly title: string;
  readonly text: string;
}

const MOST_RESULTS = 12;
/** Characters of a section that are shown around what was found. */
const AROUND = 70;

followTheme();
addCopyButtons();
const place = document.getElementById('search');
if (place !== null) addSearch(place);
// The list of pages stands beside the text where there is room, else above it, folded.
const contents = document.querySelector('details.contents');
if (matchMedia('(max-width: 60rem)').matches) contents?.removeAttribute('open');
else showPage(contents);

/** The name of this page in the list of all, which is longer than most screens. */
function showPage(list: Element | null): void {
  const own = list?.querySelector('[aria-current]');
  if (list == null || own == null) return;
  list.scrollTop += own.getBoundingClientRect().bottom - list.getBoundingClientRect().top - list.clientHeight / 2;
}

/** Light or dark, as a person has chosen for the page of this server. */
function followTheme(): void {
  const apply = (): void => {
    const theme = currentTheme();
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  };
  apply();
  // Chosen in another tab.
  window.addEventListener('storage', apply);
}

/** How long a button says that it has copied. */
const SAID_MS = 2000;

/** A button on each block of code. Browsers let a page copy where it comes from https or this machine, and others have no button. */
function addCopyButtons(): void {
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard === undefined) return;
  for (const block of document.querySelectorAll('pre')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'copy';
    const say = (text: string): void => void (button.textContent = text);
    say('Copy');
    button.addEventListener('click', () => {
      clipboard.writeText(block.textContent.trimEnd()).then(
        () => say('Copied'),
        () => say('Not allowed'),
      );
      setTimeout(() => say('Copy'), SAID_MS);
    });
    const frame = document.createElement('div');
    frame.className = 'code';
    block.replaceWith(frame);
    frame.append(block, button);
  }
}

function addSearch(parent: HTMLElement): void {
  const field = document.createElement('input');
  Object.assign(field, { type: 'search', placeholder: 'Search ( / )', autocomplete: 'off' });
  field.setAttribute('aria-label', 'Search the docs');
  field.setAttribute('aria-controls', 'results');
  const results = document.createElement('ol');
  results.id = 'results';
  results.hidden = true;
  const told = document.createElement('p');
  told.className = 'told';
  told.setAttribute('role', 'status');
  parent.setAttribute('role', 'search');
  parent.append(field, told, results);

  const show = async (): Promise<void> => {
    const query = field.value.trim();
    const found = query === '' ? [] : await find(query);
    if (query !== field.value.trim()) return;
    results.replaceChildren(...found.map((section) => entry(section, query)));
    results.hidden = found.length === 0;
    told.textContent = query === '' ? '' : found.length === 0 ? 'Nothing was found.' : `${found.length} places`;
  };
  field.addEventListener('focus', () => void load().catch(() => undefined));
  field.addEventListener('input', () => void show().catch(() => (told.textContent = 'The search cannot be loaded.')));
  document.addEventListener('keydown', (event) => {
    const isTyping = event.target instanceof Element && event.target.matches('input, textarea');
    if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    field.focus();
  });
  parent.addEventListener('keydown', (event) => {
    const links = [...results.querySelectorAll('a')];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    if (event.key === 'Escape') {
      field.value = '';
      field.focus();
      void show();
    } else if (event.key === 'ArrowDown') links[at + 1]?.focus();
    else if (event.key === 'ArrowUp') (links[at - 1] ?? field).focus();
    else return;
    event.preventDefault();
  });
}

function entry({ href, page, title, text }: Section, query: string): HTMLLIElement {
  const item = document.createElement('li');
  const link = document.createElement('a');
  link.href = href;
  const where = document.createElement('strong');
  where.textContent = page === title ? title : `${page}: ${title}`;
  const excerpt = document.createElement('span');
  const word = query.toLowerCase().split(/\s+/)[0] ?? '';
  excerpt.textContent = excerptOf(text, text.toLowerCase().indexOf(word));
  link.append(where, excerpt);
  item.append(link);
  return item;
}

/** Whole words around a place of the text. */
function excerptOf(text: string, place: number): string {
  const from = place > AROUND ? text.indexOf(' ', place - AROUND) + 1 : 0;
  const to = from + 2 * AROUND < text.length ? text.lastIndexOf(' ', from + 2 * AROUND) : text.length;
  return `${from > 0 ? '... ' : ''}${text.slice(from, to > from ? to : text.length)}${to < text.length ? ' ...' : ''}`;
}

let loaded: Promise<{ index: MiniSearch; sections: readonly Section[] }> | undefined;

function load(): Promise<{ index: MiniSearch; sections: readonly Section[] }> {
  loaded ??= read();
  // A try that failed is not kept.
  loaded.catch(() => (loaded = undefined));
  return loaded;
}

async function read(): Promise<{ index: MiniSearch; sections: readonly Section[] }> {
  const [{ default: Search }, sections] = await Promise.all([
    import('minisearch'),
    fetch('search.json').then((answer) => answer.json() as Promise<Section[]>),
  ]);
  const index = new Search({
    fields: ['title', 'page', 'text'],
    // Names of options and metrics are found whole and by their parts.
    tokenize: (text) =>
      text
        .split(/[^\p{Letter}\p{Number}_]+/u)
        .flatMap((word) => (word.includes('_') ? [word, ...word.split('_')] : [word])),
    searchOptions: {
      boost: { title: 4, page: 2 },
      prefix: true,
      fuzzy: (term) => (term.length > 4 ? 0.2 : false),
      combineWith: 'AND',
    },
  });
  index.addAll(sections.map((section, id) => ({ id, ...section })));
  return { index, sections };
}

async function find(query: string): Promise<Section[]> {
  const { index, sections } = await load();
  return index
    .search(query)
    .slice(0, MOST_RESULTS)
    .flatMap(({ id }) => sections[Number(id)] ?? []);
}
