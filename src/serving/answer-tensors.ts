import type { Clock } from '../core/ticket.ts';
import type { CpuPool } from '../cpu/pool.ts';
import type { Answer, TensorsOperation, TensorsRequest } from '../dialects/shared/operation.ts';
import { errorOf } from '../errors.ts';
import { ownTensor } from '../tensors/rows.ts';
import type { Tensor } from '../tensors/tensor.ts';
import { tensorModelOf } from './decode-on-pool.ts';
import type { ServedModel } from './served-model.ts';
import { limitsOf, type Ride } from './tickets.ts';

/** Outputs of this size take about a millisecond to print: larger ones leave the main thread. */
const LIGHT_TEXT_BYTES = 64 * 1024;

interface RanTensors {
  readonly operation: TensorsOperation;
  readonly model: ServedModel;
  readonly request: TensorsRequest;
  /** Signature order. */
  readonly outputs: readonly Tensor[];
}

/** Puts the outputs of a request of tensors into the answer of its operation. */
export class TensorAnswerer {
  readonly #parts: { readonly cpu: CpuPool; readonly clock: Clock };

  constructor(parts: { readonly cpu: CpuPool; readonly clock: Clock }) {
    this.#parts = parts;
  }

  /** The answer; its time is counted as `finish`. Throws a ServerError. */
  async answer(ran: RanTensors, ride: Ride): Promise<Answer> {
    const { operation, model, request, outputs } = ran;
    const startMs = this.#parts.clock.now();
    const answer =
      operation.textBytes(request, outputs) <= LIGHT_TEXT_BYTES
        ? operation.encode(request, outputs, model.description)
        : await this.#onPool(ran, ride);
    ride.timing.finishMs += this.#parts.clock.now() - startMs;
    ride.stages?.add('finish', startMs);
    return answer;
  }

  async #onPool({ operation, model, request, outputs }: RanTensors, ride: Ride): Promise<Answer> {
    const { answer } = await this.#parts.cpu.run<'encode'>(
      {
        kind: 'encode',
        of: 'tensors',
        operation: operation.name,
        source: model.taskSource,
        request: { ...request, inputs: [] },
        outputs: outputs.map(ownTensor),
        tensorModel: tensorModelOf(model),
      },
      limitsOf(ride),
    );
    if ('code' in answer) throw errorOf(answer);
    return answer;
  }
}
