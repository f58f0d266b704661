import { BENCH } from '../benchmark/flags.ts';
import { JSON_FLAG, type CommandSpec } from '../config/command.ts';
import { HASH_KEY } from '../config/hash-key.ts';
import { PULL } from '../hub/flags.ts';
import { BATCH } from '../jobs/file/flags.ts';
import { BENCH_STORAGE } from '../storage/bench-flags.ts';
import { TUNE } from '../tune/flags.ts';

/** The table of commands: help, completion and docs/cli.md come from here. What runs them is in `main.ts`, and is read only when it is wanted. */

const SERVE: CommandSpec = {
  name: 'serve',
  summary: 'serves the models of a folder over HTTP',
  uses: ['[flags]'],
  about: ['Serves the models of a folder over HTTP, and the jobs of a queue if JOB_SOURCE names one.'],
  flags: {},
  takesOptions: true,
  operand: 'nothing',
  exitCodes:
    '0 after a drain that finished everything, 1 when the server could not start, 2 for bad configuration or usage.',
};

export const WORK: CommandSpec = {
  ...SERVE,
  name: 'work',
  summary: 'serves the jobs of a queue (JOB_SOURCE), and probes',
  about: [
    'Serves the jobs of a queue: JOB_SOURCE says of which kind, JOB_QUEUE its name. Over HTTP it answers probes, metrics and /info alone.',
  ],
};

export const LIST: CommandSpec = {
  name: 'list',
  aliases: ['ls', 'models'],
  summary: 'lists the models of a folder',
  uses: ['[--json]'],
  about: [
    'The models of MODELS_DIR: task, versions that would serve, size, where they were pulled from, and what is wrong with them.',
  ],
  flags: { json: JSON_FLAG },
  takesOptions: true,
  operand: 'nothing',
  exitCodes: '0, or 1 when the folder cannot be read, 2 for bad usage or configuration.',
};

export const SHOW: CommandSpec = {
  name: 'show',
  summary: 'says all that is known of a model without loading it',
  uses: ['<model> [--json]'],
  about: ['Of a model of MODELS_DIR: task, files, inputs and outputs, labels, batches, and how to ask it.'],
  flags: { json: JSON_FLAG },
  takesOptions: true,
  operand: 'model',
  exitCodes: '0, or 1 when there is no such model or something is wrong with it, 2 for bad usage or configuration.',
};

export const PS: CommandSpec = {
  name: 'ps',
  summary: 'lists the models of a running server',
  uses: ['[url] [--key-file <file>] [--json]'],
  about: [
    'Asks a server, by default the one at http://localhost:8000, which models it serves, on which lanes, and how many items run and wait.',
  ],
  flags: { 'key-file': { value: '<file>', doc: 'a file with an API key' }, json: JSON_FLAG },
  takesOptions: false,
  operand: 'text',
  exitCodes: '0, or 1 when no server of Carpool answers there, 2 for bad usage.',
};

export const RM: CommandSpec = {
  name: 'rm',
  summary: 'deletes a model',
  uses: ['<model> [--yes]'],
  about: [
    'Deletes a model from MODELS_DIR: its folder with all in it, or its ONNX file. Of a link, only the link goes.',
  ],
  flags: { yes: { doc: 'deletes it; without it, the command says what would be deleted' }, json: JSON_FLAG },
  takesOptions: true,
  operand: 'model',
  exitCodes: '0, or 1 when there is no such model or it cannot be deleted, 2 for bad usage.',
};

export const RUN: CommandSpec = {
  name: 'run',
  summary: 'asks a model, or talks with it',
  uses: ['<model> [a text, JSON, or the name of a file]'],
  about: [
    'Asks a model of MODELS_DIR and prints its answer. A chat model without a text talks with you, line by line, until the end of the input.',
    '',
    '  carpool run chat "What is the capital of France?"',
    '  carpool run language-id "Wo ist der Bahnhof?"',
    '  carpool run transcription speech.wav',
  ],
  flags: { json: { doc: 'prints each answer as the server gives it in JSON, on a line' } },
  takesOptions: true,
  operand: 'model',
  exitCodes:
    '0, or 1 when the model cannot be loaded or refuses, 2 for bad usage, 128 and the number of the signal that stopped it.',
};

export const DOCTOR: CommandSpec = {
  name: 'doctor',
  summary: 'says what is wrong with this machine and its configuration, and what mends it',
  uses: ['[--load] [--strict] [--json]'],
  about: [
    'Looks at all that `carpool serve` needs here, with the same flags and environment: options, Node, ONNX Runtime, GPU, memory, cores, ports, folders, models,',
    'keys, certificates, storage and queues. Each line is ok, a warning or a problem; a problem keeps the server, or a part of it, from working.',
  ],
  flags: {
    load: { doc: 'loads and tries every model as a start does; without it models are read, not loaded' },
    strict: { doc: 'counts warnings as problems' },
    json: JSON_FLAG,
  },
  takesOptions: true,
  operand: 'nothing',
  exitCodes:
    '0 without a problem, whether or not there are warnings; 1 with one (with --strict also with a warning); 2 for bad usage.',
};

export const INSTALL_CUDA: CommandSpec = {
  name: 'install-cuda',
  summary: 'fetches what models need to run on an NVIDIA GPU',
  uses: ['[--json]'],
  about: [
    "Fetches ONNX Runtime's CUDA provider (linux/x64, 300 MB) from NuGet, in the version of the onnxruntime-node installed here, and puts it beside it. Run",
    'it again after each `npm ci`. At run time it needs an NVIDIA driver, and the libraries of CUDA 12 and cuDNN 9 where the loader finds them',
    '(LD_LIBRARY_PATH). The download goes through HTTPS_PROXY if that is set.',
  ],
  flags: { json: JSON_FLAG },
  takesOptions: false,
  operand: 'nothing',
  exitCodes: '0 when the provider is there, 1 when not, 2 for bad usage.',
};

export const COMPLETION: CommandSpec = {
  name: 'completion',
  summary: 'prints what completes commands, flags and models in a shell',
  uses: ['bash|zsh|fish'],
  about: [
    'Prints a script for the shell:',
    '',
    '  source <(carpool completion bash)                              # bash; into ~/.bashrc to keep it',
    '  source <(carpool completion zsh)                               # zsh, after compinit; into ~/.zshrc',
    '  carpool completion fish > ~/.config/fish/completions/carpool.fish',
    '',
    'Names of models are those in the folder that --models-dir or MODELS_DIR names.',
  ],
  flags: {},
  takesOptions: false,
  operand: ['bash', 'zsh', 'fish'],
  exitCodes: '0, or 2 for bad usage.',
};

export const HELP: CommandSpec = {
  name: 'help',
  summary: 'says more of a command',
  uses: ['[command]'],
  about: ['Prints the list of commands, or the help of one.'],
  flags: {},
  takesOptions: false,
  operand: 'command',
  exitCodes: '0, or 2 when there is no such command.',
};

/** All commands, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  SERVE,
  WORK,
  BATCH,
  PULL,
  LIST,
  SHOW,
  RM,
  RUN,
  PS,
  DOCTOR,
  BENCH,
  TUNE,
  BENCH_STORAGE,
  HASH_KEY,
  INSTALL_CUDA,
  COMPLETION,
  HELP,
];

/** A command by its name or another one of its names. */
export function findCommand(name: string): CommandSpec | undefined {
  return COMMANDS.find((spec) => spec.name === name || spec.aliases?.includes(name) === true);
}
