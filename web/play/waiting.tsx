import type { VNode } from 'preact';
import { useSeconds } from './hooks.ts';

/** What a person who waits is told; nothing in the first second. */
export function Waiting({ isLoaded }: { readonly isLoaded: boolean }): VNode {
  const seconds = useSeconds(true);
  const why = isLoaded ? 'Waiting for the answer' : 'The model is not loaded yet: this request loads it, and then runs';
  return (
    <p class="play-waiting" role="status">
      <span class="play-spinner" aria-hidden="true" />
      {why}
      {seconds > 0 && `, ${seconds} s so far`}.
    </p>
  );
}
