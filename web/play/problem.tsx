import type { VNode } from 'preact';

/** What is wrong with what somebody did, said as it happens. Nothing for an empty text. */
export function Problem({ text }: { readonly text: string }): VNode {
  return <div role="alert">{text !== '' && <p class="play-problem">{text}</p>}</div>;
}
