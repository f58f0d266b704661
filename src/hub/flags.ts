import { JSON_FLAG, readCommand, type CommandSpec } from '../config/command.ts';
import { parseReference } from '../config/hub-reference.ts';
import { messageOf } from '../errors.ts';

/** The command line of `carpool pull`. */

export const PULL: CommandSpec = {
  name: 'pull',
  summary: 'brings a model from a hub into the folder of models',
  uses: ['hf:<owner>/<name>[@revision] [--dtype q8] [--to <models folder>] [--name <folder>]'],
  about: [
    'Fetches what serving needs: configuration, tokenizer, and the ONNX files of one dtype. A pull that was broken off goes on where it',
    'stopped; one that is complete is fetched again only when the revision has moved.',
  ],
  flags: {
    dtype: {
      value: '<dtype>',
      doc: 'auto (the most exact there is), fp32, fp16, q8, int8, uint8, q4, ...; default: DTYPE',
    },
    to: { value: '<folder>', doc: 'the folder of model folders; default: MODELS_DIR' },
    name: { value: '<name>', doc: "name of the model's folder; default: <name>" },
    json: JSON_FLAG,
  },
  takesOptions: false,
  operand: 'text',
  notes: ['HF_TOKEN is the token for private and gated models, HF_ENDPOINT another hub or a mirror.'],
  exitCodes:
    '0 when the model is there, 1 when it could not be fetched, 2 for bad usage, 128 and the number of the signal that stopped it.',
};

export interface PullFlags {
  /** Flags of the configuration that say the same. */
  readonly flags: string[];
  readonly json: boolean;
}

/** What a command line asks for, or what is wrong with it. */
export function pullFlags(argv: readonly string[]): PullFlags | { readonly problem: string } {
  const line = readCommand(PULL, argv);
  if ('problem' in line) return line;
  const [reference, ...others] = line.operands;
  if (reference === undefined || others.length > 0) return { problem: 'Give one model: hf:<owner>/<name>' };
  const { name, dtype, to, json } = line.values;
  const whole = `${name === undefined ? '' : `${name}=`}${reference}${dtype === undefined ? '' : `#${dtype}`}`;
  try {
    // Checked here, where its problem is not reported under the name of an option.
    parseReference(whole);
  } catch (error) {
    return { problem: messageOf(error) };
  }
  return {
    flags: [`--carpool-models=${whole}`, ...(to === undefined ? [] : [`--models-dir=${to}`])],
    json: json === 'true',
  };
}
