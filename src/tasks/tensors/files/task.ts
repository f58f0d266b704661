import { ServerError } from '../../../errors.ts';
import { isObject } from '../../../json.ts';
import type { Signature, Tensor, TensorSpec } from '../../../tensors/tensor.ts';
import { readClip } from '../../audio/clip.ts';
import { IMAGE_TYPES, readImageBytes } from '../../image/input.ts';
import { refuseParameters } from '../../parameters.ts';
import type { Item, Outputs, Prepared, Reply, ServeContext, Task } from '../../task.ts';
import { audioOf, AUDIO_TYPES } from '../../transcription/audio-item.ts';
import { audioCalls } from '../../transcription/opening.ts';
import { readPcm, type StretchCall } from '../../transcription/pcm.ts';
import { tensorOf } from '../elements.ts';
import { inputTensor } from '../input-tensor.ts';
import { imageReply, imageRow } from './images.ts';
import { fitsImage, fitsSound, type AudioInput, type FileOptions } from './options.ts';
import { soundRow } from './sounds.ts';

/** The task of a bare graph that takes files. */

/** Longest time for ffmpeg to find out the length of a sound. */
const DECODE_SECONDS = 60;
/** Of a made-up sound. */
const EXAMPLE_SECONDS = 1;

/** An item's sounds, decoded, by input. */
type Sounds = Readonly<Record<string, StretchCall>>;

interface FilesCall {
  readonly item: Item;
  readonly sounds: Sounds;
}

/** The task of a graph with inputs or an output of files. Throws a plain Error for an input that no such file fits. */
export function withFiles(plain: Task, signature: Signature, options: FileOptions): Task {
  const reader = new FileReader(signature, options);
  const finish = async (outputs: Outputs, memo: unknown): Promise<Reply> => {
    const spec = signature.outputs.find(({ name }) => Object.hasOwn(options.outputs, name));
    const asked = spec && options.outputs[spec.name];
    if (spec === undefined || asked === undefined) return plain.finish(outputs, memo);
    const tensor = outputs[spec.name];
    if (tensor === undefined) throw new Error(`the run gave no output ${spec.name}`);
    return imageReply(tensor, spec, asked.image);
  };
  const task: Task = {
    rawTypes: reader.rawTypes,
    isLight: () => false,
    prepare: (item) => reader.prepare({ item, sounds: {} }),
    isLightReply: (bytes) => Object.keys(options.outputs).length === 0 && plain.isLightReply(bytes),
    finish,
  };
  if (!reader.hasSounds) return task;
  return {
    ...task,
    ...(reader.hasExample ? { example: () => reader.example() } : {}),
    serve: async (item, context) => {
      const sounds = await reader.readSounds(item, context);
      // Decoding has given its bytes away.
      const rest: Item = item.kind === 'raw' ? { ...item, bytes: new Uint8Array(0) } : item;
      const outputs = await context.run((await context.call('fileInputs', { item: rest, sounds })) as Prepared);
      const bytes = Object.values(outputs).reduce((sum, { data }) => sum + data.length, 0);
      return (await context.call('fileReply', outputs, { light: task.isLightReply(bytes) })) as Reply;
    },
    calls: {
      ...audioCalls,
      fileInputs: (call: FilesCall): Promise<Prepared> => reader.prepare(call),
      fileReply: (outputs: Outputs): Promise<Reply> => finish(outputs, undefined),
    },
  };
}

class FileReader {
  readonly #signature: Signature;
  readonly #inputs: FileOptions['inputs'];
  /** Names of inputs that are made from files. */
  readonly #files: readonly string[];

  constructor(signature: Signature, { inputs }: FileOptions) {
    this.#signature = signature;
    this.#inputs = inputs;
    this.#files = Object.keys(inputs).filter((name) => !('fill' in (inputs[name] ?? {})));
    for (const spec of signature.inputs) {
      const asked = inputs[spec.name];
      if (asked === undefined) continue;
      if ('fill' in asked) this.#filled(spec, asked.fill);
      else if (!('image' in asked ? fitsImage(spec, asked.image) : fitsSound(spec)))
        throw new Error(
          `options.inputs.${spec.name}: ${spec.datatype} [${spec.shape.join(', ')}] cannot be ${'image' in asked ? 'an image' : 'a sound'}`,
        );
    }
  }

  get hasSounds(): boolean {
    return Object.values(this.#inputs).some((asked) => 'audio' in asked);
  }

  get rawTypes(): readonly string[] {
    if (this.#files.length !== 1) return [];
    return this.hasSounds ? AUDIO_TYPES : IMAGE_TYPES;
  }

  /** The sounds of an item. Throws as `readClip`. */
  async readSounds(item: Item, context: ServeContext): Promise<Sounds> {
    refuseParameters(item);
    const rows = this.#rows(item);
    const sounds: Record<string, StretchCall> = {};
    for (const [name, asked] of Object.entries(this.#inputs)) {
      const row = rows.get(name);
      if (!('audio' in asked) || row === undefined || !isFile(row)) continue;
      const { rateHz, maxSeconds } = asked.audio;
      sounds[name] = await readClip(audioOf(row), context, { rateHz, maxSeconds, decodeSeconds: DECODE_SECONDS });
    }
    return sounds;
  }

  async prepare({ item, sounds }: FilesCall): Promise<Prepared> {
    refuseParameters(item);
    const rows = this.#rows(item);
    const inputs: Record<string, Tensor> = {};
    for (const spec of this.#signature.inputs)
      inputs[spec.name] = await this.#tensor(spec, rows.get(spec.name), sounds);
    return { inputs, cost: 1 };
  }

  /** Whether each input is a sound or is filled. */
  get hasExample(): boolean {
    return this.#signature.inputs.every(({ name }) => {
      const asked = this.#inputs[name];
      return asked !== undefined && !('image' in asked);
    });
  }

  /** Made-up sounds, and what fills the other inputs. */
  example(): Prepared {
    const inputs: Record<string, Tensor> = {};
    for (const spec of this.#signature.inputs) {
      const asked = this.#inputs[spec.name];
      if (asked === undefined || 'image' in asked) throw new Error(`nothing is known of input ${spec.name}`);
      inputs[spec.name] =
        'audio' in asked ? soundRow(madeUp(asked.audio), spec, this.#axis(spec)) : this.#filled(spec, asked.fill);
    }
    return { inputs, cost: 1 };
  }

  /** An item's values by input: a file as an item of its own. */
  #rows(item: Item): ReadonlyMap<string, Item> {
    const [only, other] = this.#files;
    const names = this.#signature.inputs.map(({ name }) => name);
    const isNamed =
      item.kind === 'json' && isObject(item.value) && Object.keys(item.value).some((key) => names.includes(key));
    if (!isNamed) {
      if (only !== undefined && other === undefined) return new Map([[only, item]]);
      throw new ServerError('INVALID_INPUT', `This model takes an object with the inputs ${names.join(', ')}.`);
    }
    const rows = Object.entries(item.value as object).map(([name, value]): [string, Item] => [
      name,
      { kind: 'json', value },
    ]);
    if (rows.some(([name]) => !names.includes(name)))
      throw new ServerError('INVALID_INPUT', `Unknown input; this model has the inputs ${names.join(', ')}.`);
    return new Map(rows);
  }

  async #tensor(spec: TensorSpec, row: Item | undefined, sounds: Sounds): Promise<Tensor> {
    const asked = this.#inputs[spec.name];
    if (row === undefined) {
      if (asked !== undefined && 'fill' in asked) return this.#filled(spec, asked.fill);
      throw new ServerError('INVALID_INPUT', `Missing input: ${spec.name}.`);
    }
    if (isFile(row) && asked !== undefined && 'image' in asked) return imageRow(readImageBytes(row), spec, asked.image);
    const sound = sounds[spec.name];
    if (sound !== undefined) return soundRow(readPcm(sound.pcm, sound.start, sound.end), spec, this.#axis(spec));
    if (row.kind === 'raw') throw new ServerError('UNSUPPORTED_MEDIA_TYPE', 'This model takes no such file.');
    return inputTensor(spec, row.value, this.#signature.batchable);
  }

  #axis({ batchAxis }: TensorSpec): number | null {
    return this.#signature.batchable ? batchAxis : null;
  }

  #filled(spec: TensorSpec, value: number): Tensor {
    const axis = this.#axis(spec);
    const shape = spec.shape.map((size, at) => (at === axis || (axis === null && at === 0 && size === -1) ? 1 : size));
    if (shape.some((size) => size < 0) || spec.anyRank === true)
      throw new Error(`options.inputs.${spec.name}: an input with free sizes cannot be filled`);
    const count = shape.reduce((product, size) => product * size, 1);
    return tensorOf(spec.datatype, shape, Array<number>(count).fill(value));
  }
}

/** Bytes, or text: base64, a data URL. */
function isFile(row: Item): boolean {
  return row.kind === 'raw' || typeof row.value === 'string' || (isObject(row.value) && !Array.isArray(row.value));
}

function madeUp({ rateHz }: AudioInput): Float32Array {
  return Float32Array.from({ length: EXAMPLE_SECONDS * rateHz }, (_, at) => 0.3 * Math.sin(at * (0.05 + at * 1e-6)));
}
