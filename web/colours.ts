/** Colours of the style sheet, for what is drawn on canvases: a canvas knows no variables, and each may differ by theme. */

/** So many models have a colour of their own; further ones share them. */
const MODEL_COLOURS = 8;
/**
 * Which hatching a colour has: none, rising or falling. Those that people who see few colours may take for each other differ in it (blue and purple, orange and
 * olive, green, pink, teal and grey: by the matrices of Machado, Oliveira and Fernandes 2009).
 */
const HATCHINGS = [0, 1, 2, 1, 0, 1, 0, 2] as const;

const known = new Map<string, string>();
const listeners = new Set<() => void>();
let probe: HTMLElement | undefined;

/** What a variable of the style sheet is now, as a canvas takes it. */
export function colourOf(variable: string): string {
  let colour = known.get(variable);
  if (colour === undefined) {
    probe ??= addProbe();
    probe.style.setProperty('color', `var(${variable})`);
    colour = getComputedStyle(probe).color;
    known.set(variable, colour);
  }
  return colour;
}

/** Calls back when colours are others than before; the returned function ends that. */
export function onColours(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function addProbe(): HTMLElement {
  const element = document.createElement('span');
  element.hidden = true;
  document.body.append(element);
  const changed = (): void => {
    known.clear();
    for (const listener of listeners) listener();
  };
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
  new MutationObserver(changed).observe(document.documentElement, { attributeFilter: ['data-theme'] });
  return element;
}

/** How a model is marked wherever it is shown: by a colour and a hatching, which more than eight share in other pairs. */
export interface Mark {
  /** Variable of the style sheet. */
  readonly colour: string;
  readonly hatching: 0 | 1 | 2;
  /** Classes of a key. */
  readonly classes: string;
}

/** The mark of a model: by its place among all models, so that it stays the same. */
export function markOf(models: readonly { readonly name: string }[], name: string): Mark {
  const names = [...new Set(models.map((model) => model.name))];
  const index = Math.max(0, names.indexOf(name));
  const colour = index % MODEL_COLOURS;
  const hatching = (((HATCHINGS[colour] ?? 0) + Math.floor(index / MODEL_COLOURS)) % 3) as Mark['hatching'];
  return { colour: `--model-${colour}`, hatching, classes: `model-${colour} hatching-${hatching}` };
}
