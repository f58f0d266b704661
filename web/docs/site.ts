import type MiniSearch from 'minisearch';

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

const place = document.getElementById('search');
if (place !== null) addSearch(place);
// The list of pages stands beside the text where there is room, else above it, folded.
if (matchMedia('(max-width: 60rem)').matches) document.querySelector('details.contents')?.removeAttribute('open');

function addSearch(parent: HTMLElement): void {
  const field = document.createElement('input');
  Object.assign(field, { type: 'search', placeholder: 'Search', autocomplete: 'off' });
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
