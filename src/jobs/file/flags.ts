import { readArguments, OPTION_FLAGS } from '../../config/flags.ts';

/** The command line of `carpool batch`. */

export const BATCH_USAGE = [
  'Usage: carpool batch <requests.jsonl> -o <results.jsonl> [--errors <errors.jsonl>] [--force] [flags of carpool serve]',
  '',
  "Answers every line of a file in the format of OpenAI's batch API, in its order, and serves nobody meanwhile:",
  '  {"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": {"model": "...", "input": "a text"}}',
  '`url` is any inference route of the server. A batch that was broken off goes on where it stopped when it is run again.',
  '',
  '  -o, --output  the file of results: a line for each request; <results.jsonl>.progress says how far it has come',
  '  --errors      a file of their own for requests that were not answered; default: among the results',
  '  --force       begins anew, and overwrites results that are there',
  '',
  'Exit code: 0 when every line has its result (the last message counts the errors), 1 when not, 2 for bad usage.',
].join('\n');

export interface BatchFlags {
  readonly input: string;
  readonly output: string;
  readonly errors: string | undefined;
  readonly force: boolean;
  /** The other flags, which are of the configuration. */
  readonly rest: readonly string[];
}

/** What a command line asks for, or what is wrong with it. */
export function batchFlags(argv: readonly string[]): BatchFlags | { readonly problem: string } {
  const { values, positionals, problems } = readArguments(
    argv.map((argument) => (argument === '-o' ? '--output' : argument)),
    { ...OPTION_FLAGS, output: 'value', errors: 'value', force: 'switch' },
  );
  const [input, ...others] = positionals;
  const { output, errors, force, ...config } = values;
  if (problems.length > 0) return { problem: problems.join('\n') };
  if (input === undefined || others.length > 0) return { problem: 'Give one file of requests' };
  if (output === undefined) return { problem: 'Say where the results go: -o <results.jsonl>' };
  if (new Set([input, output, errors]).size < 3)
    return { problem: 'Requests, results and errors must be different files' };
  const rest = Object.entries(config).map(([name, value]) => `--${name}=${value}`);
  return { input, output, errors, force: force === 'true', rest };
}
