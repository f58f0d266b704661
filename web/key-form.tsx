import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { useKey } from './hooks.ts';
import { setKey } from './key.ts';

/** Asks for an API key. `why`: what the server said. */
export function KeyForm({ why }: { readonly why: string }): VNode {
  const known = useKey();
  const [given, give] = useState('');
  const submit = (event: Event): void => {
    event.preventDefault();
    setKey(given);
    give('');
  };
  return (
    <form class="panel narrow" onSubmit={submit}>
      <h1>This server asks for an API key</h1>
      <p>
        What is shown here needs a key with the scope <code>metrics</code>, and what is tried here one with{' '}
        <code>infer</code>. It stays in this tab until you close it.
      </p>
      {known === '' ? null : (
        <p class="notice bad" role="alert">
          {why}
        </p>
      )}
      <label for="key">API key</label>
      <div class="row">
        <input
          id="key"
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          value={given}
          onInput={(event) => give(event.currentTarget.value)}
        />
        <button type="submit">Use it</button>
      </div>
    </form>
  );
}
