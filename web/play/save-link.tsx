import type { VNode } from 'preact';

/** Saves what has an address in this page, once it has one. */
export function SaveLink({ url, name }: { readonly url: string | undefined; readonly name: string }): VNode | null {
  if (url === undefined) return null;
  return (
    <a href={url} download={name}>
      Save {name}
    </a>
  );
}
