import { readArguments } from '../config/flags.ts';
import type { Config } from '../config/options.ts';
import { createBar, createLines, megabytes } from './progress.ts';
import { pullModel } from './pull.ts';
import { optionsOf } from './pull-models.ts';
import { parseReference, parseReferences } from '../config/hub-reference.ts';
import { messageOf } from '../errors.ts';

/** `carpool pull`: brings one model from a hub into a folder. */

export const PULL_USAGE = [
  'Usage: carpool pull hf:<owner>/<name>[@revision] [--dtype q8] [--to <models folder>] [--name <folder>]',
  '',
  'Fetches what serving needs: configuration, tokenizer, and the ONNX files of one dtype. A pull that was broken off goes on where it',
  'stopped; one that is complete is fetched again only when the revision has moved.',
  '',
  '  --dtype  auto (the most exact there is), fp32, fp16, q8, int8, uint8, q4, ...; default: DTYPE',
  '  --to     the folder of model folders; default: MODELS_DIR',
  "  --name   name of the model's folder; default: <name>",
  '',
  'HF_TOKEN is the token for private and gated models, HF_ENDPOINT another hub or a mirror.',
].join('\n');

/** Flags of the configuration that say the same as the command line of `carpool pull`, or what is wrong with it. */
export function pullFlags(argv: readonly string[]): { flags: string[] } | { problem: string } {
  const { values, positionals, problems } = readArguments(argv, { dtype: 'value', to: 'value', name: 'value' });
  const [reference, ...others] = positionals;
  if (problems.length > 0) return { problem: problems.join('\n') };
  if (reference === undefined || others.length > 0) return { problem: 'Give one model: hf:<owner>/<name>' };
  const { name, dtype, to } = values;
  const whole = `${name === undefined ? '' : `${name}=`}${reference}${dtype === undefined ? '' : `#${dtype}`}`;
  try {
    // Checked here, where its problem is not reported under the name of an option.
    parseReference(whole);
  } catch (error) {
    return { problem: messageOf(error) };
  }
  return { flags: [`--carpool-models=${whole}`, ...(to === undefined ? [] : [`--models-dir=${to}`])] };
}

/**
 * Pulls the model of the configuration, with progress on `stderr`. Resolves with the outcome in words; rejects with a HubError, or the signal's reason.
 */
export async function pullOne(config: Config, stderr: NodeJS.WriteStream, signal: AbortSignal): Promise<string> {
  const [reference] = parseReferences(config.CARPOOL_MODELS, []);
  if (reference === undefined) throw new Error(PULL_USAGE);
  const line = (text: string): boolean => stderr.write(`${text}\n`);
  const { folder, commit, bytes, isNew } = await pullModel(reference, {
    ...optionsOf(config),
    refresh: true,
    progress: stderr.isTTY ? createBar(stderr) : createLines(line),
    onNote: line,
    signal,
  });
  const what = `${reference.repository}@${commit.slice(0, 12)}, ${megabytes(bytes)} MB`;
  return isNew ? `${folder} is there: ${what}` : `${folder} is up to date: ${what}`;
}
