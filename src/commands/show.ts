import { messageOf } from '../errors.ts';
import type { ShownModel, ShownTensor } from '../repository/shown-model.ts';
import { showModel } from '../repository/shown-model.ts';
import { columnsText, sizeText } from './columns.ts';
import { print, readOrRefuse, readOrTell } from './host.ts';
import { thereIsNone } from './models.ts';
import { SHOW } from './specs.ts';

/** `carpool show`: a model of MODELS_DIR, without a server. */
export async function show(argv: readonly string[]): Promise<void> {
  const line = readOrRefuse(SHOW, argv, { operands: 1, otherwise: 'Name one model; carpool list shows them' });
  const config = line === undefined ? undefined : readOrTell(line.rest);
  if (line === undefined || config === undefined) return;
  const [name = ''] = line.operands;
  const { MODELS_DIR: modelsDir, DTYPE: dtype, MODEL_OPTIONS: overrides } = config;
  try {
    const model = await showModel({ modelsDir, dtype, overrides }, name);
    if (model === undefined) throw await thereIsNone(modelsDir, name);
    print(model, line.values['json'] === 'true', () => textOf(model));
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = 1;
  }
}

const MOST_LABELS = 8;

function textOf(model: ShownModel): string {
  const { name, task, description, licence, folder, versions, files, bytes, from, labels, batching, notes } = model;
  const rows: (readonly [string, string | undefined])[] = [
    ['task', task],
    ['folder', folder],
    ['versions', versions.join(', ')],
    ['files', `${files.join(', ')} (${sizeText(bytes)})`],
    ['from', from],
    ['licence', licence],
    ...tensorRows('inputs', model.inputs),
    ...tensorRows('outputs', model.outputs),
    ['labels', labels === undefined ? undefined : labelsText(labels)],
    ['batches', batching.maxItems === undefined ? 'by task and device' : `up to ${batching.maxItems} items`],
    ...notes.map((note) => ['note', note] as const),
    ['try', exampleText(model)],
  ];
  const shown = rows.flatMap(([what, text]) => (text === undefined ? [] : [[`  ${what}`, text]]));
  return [name, ...(description === undefined ? [] : [`  ${description}`]), '', ...columnsText(shown)].join('\n');
}

/** Chat models have dozens, one for each layer; --json shows them all. */
const MOST_TENSORS = 6;

/** The first row names them all. */
function tensorRows(what: string, tensors: readonly ShownTensor[]): (readonly [string, string])[] {
  const more = tensors.length - MOST_TENSORS;
  const shown = tensors.slice(0, MOST_TENSORS).map(tensorText);
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].map((text, index) => [index === 0 ? what : '', text]);
}

function tensorText({ name, type, shape }: ShownTensor): string {
  const sizes = shape?.map((size) => (size === '' ? '?' : size)).join(', ');
  return `${name} ${type}${sizes === undefined ? '' : ` [${sizes}]`}`;
}

function labelsText(labels: readonly string[]): string {
  const more = labels.length > MOST_LABELS ? ', ...' : '';
  return `${labels.length}: ${labels.slice(0, MOST_LABELS).join(', ')}${more}`;
}

const LONGEST_EXAMPLE = 200;

/** How to ask it; without an example that fits on a line, nothing. */
function exampleText({ name, task, example }: ShownModel): string | undefined {
  if (task === 'chat') return `carpool run ${name}`;
  if (example === undefined) return undefined;
  if ('file' in example) return `carpool run ${name} ${example.file}`;
  const text = typeof example.data === 'string' ? example.data : JSON.stringify(example.data);
  return text.length > LONGEST_EXAMPLE ? undefined : `carpool run ${name} '${text.replaceAll("'", String.raw`'\''`)}'`;
}
