import type { JSX } from 'preact';

/** A long text in a box of its own, which the keyboard scrolls as well. */
export function Scrolled({ label, children }: { readonly label: string; readonly children: string }): JSX.Element {
  return (
    <pre class="play-json" tabIndex={0} role="region" aria-label={label}>
      {children}
    </pre>
  );
}
