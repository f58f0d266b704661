import { float32, type Tensor } from '../../tensors/tensor.ts';
import type { Graph } from '../../onnx/graph.ts';
import { choosePorts, feed, floatsOf, joined, parted, portsOf, type Port } from './port.ts';

/** The decoder of a pipeline's autoencoder: latents to images of values about -1 to 1. */
export class ImageDecoder {
  readonly graph: Graph;
  readonly #latents: Port;

  constructor(graph: Graph) {
    this.graph = graph;
    const [latents] = choosePorts('vae_decoder', portsOf(graph.session), { names: ['latent_sample'] });
    if (latents === undefined) throw new Error('vae_decoder: there is no input latent_sample');
    this.#latents = latents;
  }

  /** Decodes latents of one shape (channels x height x width) to images [1, 3, height, width], each in its own memory. */
  async decode(latents: readonly Float32Array[], shape: readonly number[]): Promise<Tensor[]> {
    if (this.#latents.shape[0] === 1 && latents.length > 1) {
      const images: Tensor[] = [];
      for (const one of latents) images.push(...(await this.decode([one], shape)));
      return images;
    }
    const results = await this.graph.run({
      [this.#latents.name]: feed(this.#latents, [latents.length, ...shape], joined(latents)),
    });
    const [name = ''] = this.graph.session.outputNames;
    const { shape: imageShape, values } = floatsOf(results[name]);
    return parted(values, latents.length).map((image) => float32([1, ...imageShape.slice(1)], image.slice()));
  }
}
