import type { VNode } from 'preact';
import { useLive } from '../hooks.ts';
import { linkTo } from '../router.ts';

/** Models to try. `rest`: the name of one. */
export function Play({ rest: [chosen] }: { readonly rest: readonly string[] }): VNode {
  const models = useLive().state?.models ?? [];
  return (
    <section class="panel">
      <h1>{chosen ?? 'Playground'}</h1>
      <ul>
        {models.map(({ name, task }) => (
          <li>
            <a href={linkTo('play', name)}>{name}</a> {task}
          </li>
        ))}
      </ul>
    </section>
  );
}
