/** Colours of the style sheet, for what is drawn on canvases: a canvas knows no variables, and each may differ by theme. */

/** So many models have a colour of their own; further ones share them. */
const MODEL_COLOURS = 8;
/** A change of theme is seen after this time. */
const KEPT_MS = 500;

const known = new Map<string, string>();
let knownSinceMs = -Infinity;
let probe: HTMLElement | undefined;

/** What a variable of the style sheet is now, as a canvas takes it. */
export function colourOf(variable: string): string {
  const nowMs = performance.now();
  if (nowMs - knownSinceMs > KEPT_MS) {
    known.clear();
    knownSinceMs = nowMs;
  }
  let colour = known.get(variable);
  if (colour === undefined) {
    if (probe === undefined) {
      probe = document.createElement('span');
      probe.hidden = true;
      document.body.append(probe);
    }
    probe.style.setProperty('color', `var(${variable})`);
    colour = getComputedStyle(probe).color;
    known.set(variable, colour);
  }
  return colour;
}

/** The variable of a model's colour: by its place among all models, so that it stays the same. */
export function modelColour(models: readonly { readonly name: string }[], name: string): string {
  const names = [...new Set(models.map((model) => model.name))];
  return `--model-${Math.max(0, names.indexOf(name)) % MODEL_COLOURS}`;
}
