import type { Graph } from '../../onnx/graph.ts';
import { choosePorts, feed, floatsOf, parted, portsOf, type Port } from './port.ts';

/** A prompt's hidden states: tokens x width. */
export interface Encoded {
  readonly shape: readonly [tokens: number, width: number];
  readonly values: Float32Array;
}

/** The text encoder of a pipeline: token ids to hidden states. */
export class PromptEncoder {
  readonly graph: Graph;
  readonly #ids: Port;
  readonly #mask: Port | undefined;
  readonly #output: string;

  constructor(graph: Graph) {
    this.graph = graph;
    const ports = portsOf(graph.session);
    const [ids] = choosePorts('text_encoder', ports, { names: ['input_ids'], optional: ['attention_mask'] });
    if (ids === undefined) throw new Error('text_encoder: there is no input input_ids');
    this.#ids = ids;
    this.#mask = ports.get('attention_mask');
    const { outputNames } = graph.session;
    if (!outputNames.includes('last_hidden_state'))
      throw new Error(`text_encoder: there is no output last_hidden_state; it has ${outputNames.join(', ')}`);
    this.#output = 'last_hidden_state';
  }

  /** Encodes prompts of one length. Equal texts are encoded once, since most requests have the same negative prompt. */
  async encode(prompts: readonly Int32Array[]): Promise<Encoded[]> {
    const keys = prompts.map((ids) => ids.join());
    const distinct = [...new Map(keys.map((key, index) => [key, prompts[index]]))].flatMap(([key, ids]) =>
      ids === undefined ? [] : [{ key, ids }],
    );
    const tokens = prompts[0]?.length ?? 0;
    const shape = [distinct.length, tokens];
    const ids = Int32Array.from(distinct.flatMap((prompt) => [...prompt.ids]));
    const results = await this.graph.run(
      {
        [this.#ids.name]: feed(this.#ids, shape, ids),
        // These encoders were trained with their padding in view.
        ...(this.#mask === undefined
          ? {}
          : {
              [this.#mask.name]: feed(
                this.#mask,
                shape,
                ids.map(() => 1),
              ),
            }),
      },
      { [this.#output]: null },
    );
    const { shape: outputShape, values } = floatsOf(results[this.#output]);
    const width = outputShape[2] ?? 0;
    const rows = parted(values, distinct.length);
    const found = new Map(distinct.map(({ key }, index) => [key, rows[index]]));
    return keys.map((key) => ({ shape: [tokens, width], values: found.get(key) ?? new Float32Array(0) }));
  }
}
