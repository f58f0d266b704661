import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { addressOf, getJson } from '../api.ts';
import { currentKey } from '../key.ts';
import { linkTo } from '../router.ts';
import type { ModelRow } from '../live/protocol.ts';

/** What to do where there is nothing to see yet. */

export function NoModels(): VNode {
  return (
    <section class="panel">
      <h2>No model yet</h2>
      <p>
        A model is a folder with <code>model.onnx</code> in it, or an ONNX file, in the folder that{' '}
        <code>MODELS_DIR</code> names. <code>carpool pull</code> brings one from a hub.
      </p>
    </section>
  );
}

interface Example {
  readonly name: string;
  readonly body: string;
}

/** A request to try. */
export function NoTraffic({ models }: { readonly models: readonly ModelRow[] }): VNode | null {
  const [example, show] = useState<Example>();
  const first = models.find(({ state }) => state === 'ready' || state === 'asleep');
  useEffect(() => {
    void exampleOf().then(show, () => undefined);
  }, []);
  if (first === undefined) return null;
  const key = currentKey() === '' ? '' : " -H 'Authorization: Bearer YOUR_KEY'";
  return (
    <section class="panel">
      <h2>No request yet</h2>
      <p>
        Try one in the <a href={linkTo('play', example?.name ?? first.name)}>playground</a>
        {example === undefined ? '.' : ', or from a terminal:'}
      </p>
      {example === undefined ? null : (
        <pre tabIndex={0}>
          curl {addressOf(`predict/${example.name}`)}
          {key} -H 'Content-Type: application/json' -d '{example.body}'
        </pre>
      )}
    </section>
  );
}

/** The example of the first model that has one. */
async function exampleOf(): Promise<Example | undefined> {
  const { models } = (await getJson('info')) as { models: { name: string; example?: unknown }[] };
  for (const { name, example } of models) {
    if (example === undefined) continue;
    const body = JSON.stringify(example);
    // A shell would end the text at an apostrophe.
    if (!body.includes("'") && !body.includes('"file"')) return { name, body };
  }
  return undefined;
}
