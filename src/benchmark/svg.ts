/** Parts of plots as SVG, without anything from elsewhere. */

export interface Drawn {
  readonly title: string;
  readonly svg: string;
  /** What stands below the plot of an HTML document. */
  readonly words: string;
  readonly isHtml: boolean;
}

/** A whole document: the SVG, or HTML with the words below it. */
export function document({ title, svg, words, isHtml }: Drawn): string {
  if (!isHtml) return svg;
  return [
    '<!doctype html>',
    `<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title>`,
    '<style>body{font:14px system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}svg{width:100%;height:auto}pre{overflow:auto}</style></head>',
    `<body><h1>${escaped(title)}</h1>${svg}<pre>${escaped(words)}</pre></body></html>\n`,
  ].join('\n');
}

/** Words at a place. */
export function text(
  { x, y, anchor = 'start' }: { readonly x: number; readonly y: number; readonly anchor?: 'start' | 'middle' | 'end' },
  words: string,
  colour = '#333333',
): string {
  return `<text x="${rounded(x)}" y="${rounded(y)}" text-anchor="${anchor}" fill="${colour}">${escaped(words)}</text>`;
}

/** The places of a polyline. */
export function places(points: readonly (readonly [number, number])[]): string {
  return points.map(([x, y]) => `${rounded(x)},${rounded(y)}`).join(' ');
}

/** A length with as many digits as a plot shows. */
export function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
