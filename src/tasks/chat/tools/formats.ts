import { readPythonCall, readXmlCall, type ReadNotation } from './notations.ts';

/** How the families of models write calls of tools. */

export const TOOL_FORMATS = [
  'hermes',
  'llama',
  'mistral',
  'mistral-args',
  'granite',
  'phi',
  'deepseek',
  'qwen-coder',
  'lfm',
] as const;
export type ToolFormatName = (typeof TOOL_FORMATS)[number];

export interface ToolFormat {
  /** Texts that open a list of calls. */
  readonly begin: readonly string[];
  /** Texts that close it; models often leave them out. */
  readonly end: readonly string[];
  /** An answer that is a JSON object with the name of a tool is a call, without a marker. */
  readonly bare?: boolean;
  /** Calls whose name stands before the arguments, not in one object with them: what comes before the arguments, with the name as its group. */
  readonly header?: RegExp;
  /** Reads calls that are not JSON, beside those that are. */
  readonly notation?: ReadNotation;
  /** How calls are written: `open`, then each call `before` NAME `within` ARGUMENTS `after`, with `between` between two, then `close`. */
  readonly layout: CallLayout;
  /** A token that ends an answer of calls, besides those of the model's configuration. */
  readonly endToken?: string;
  /** The chat template takes arguments as a text, and not as an object. */
  readonly argumentsAsText?: boolean;
  /** The chat template takes only ids of nine letters and digits. */
  readonly shortIds?: boolean;
}

export interface CallLayout {
  readonly open: string;
  readonly before: string;
  readonly within: string;
  readonly after: string;
  readonly between: string;
  readonly close: string;
}

const HERMES_LAYOUT: CallLayout = {
  open: '',
  before: '<tool_call>\n{"name": "',
  within: '", "arguments": ',
  after: '}\n</tool_call>',
  between: '\n',
  close: '',
};

/** A list of objects behind a marker. */
const listLayout = (open: string, close: string): CallLayout => ({
  ...{ open: `${open}[`, before: '{"name": "', within: '", "arguments": ', after: '}', between: ', ', close },
});

/** What may stand before a call's arguments is at most this long. */
export const MOST_HEADER_CHARACTERS = 400;

const MISTRAL = { begin: ['[TOOL_CALLS]'], end: [], shortIds: true };
const MISTRAL_HEADER = /^\s*([\w.:-]{1,128})\s*(?:\[CALL_ID\]\s*\w*\s*)?(?:\[ARGS\]\s*)?(?=\{)/;

/** `function<sep>NAME` and arguments in a block of code, or (from V3.1 on) `NAME<sep>` and arguments. */
const DEEPSEEK_HEADER = /^\s*(?:function<｜tool▁sep｜>)?([\w.:-]{1,128})\s*(?:<｜tool▁sep｜>|\n```json)\s*(?=\{)/;

const FORMATS: Readonly<Record<ToolFormatName, ToolFormat>> = {
  /** Hermes, Qwen 2.5 and 3, SmolLM 2 (a list within the tags) and 3, Granite 4. */
  hermes: { begin: ['<tool_call>'], end: ['</tool_call>'], layout: HERMES_LAYOUT },
  /** Llama 3.1 to 3.3. */
  llama: {
    begin: ['<|python_tag|>'],
    end: [],
    bare: true,
    endToken: '<|eom_id|>',
    layout: { open: '', before: '{"name": "', within: '", "parameters": ', after: '}', between: '; ', close: '' },
  },
  mistral: { ...MISTRAL, header: MISTRAL_HEADER, layout: listLayout('[TOOL_CALLS]', ']') },
  /** Mistral's tokenizers from version 11 on. */
  'mistral-args': {
    ...MISTRAL,
    header: MISTRAL_HEADER,
    layout: { open: '', before: '[TOOL_CALLS]', within: '[ARGS]', after: '', between: '', close: '' },
  },
  /** Granite 3. */
  granite: { begin: ['<|tool_call|>'], end: ['<|/tool_call|>'], layout: listLayout('<|tool_call|>', ']') },
  /** Phi 4 mini. */
  phi: { begin: ['<|tool_call|>'], end: ['<|/tool_call|>'], layout: listLayout('<|tool_call|>', ']<|/tool_call|>') },
  /** DeepSeek V3 and R1. */
  deepseek: {
    begin: ['<｜tool▁calls▁begin｜>', '<｜tool▁call▁begin｜>'],
    end: ['<｜tool▁call▁end｜>', '<｜tool▁calls▁end｜>'],
    header: DEEPSEEK_HEADER,
    argumentsAsText: true,
    layout: {
      open: '<｜tool▁calls▁begin｜>',
      before: '<｜tool▁call▁begin｜>function<｜tool▁sep｜>',
      within: '\n```json\n',
      after: '\n```<｜tool▁call▁end｜>',
      between: '\n',
      close: '<｜tool▁calls▁end｜>',
    },
  },
  /** Qwen3-Coder and Qwen 3.5. Calls of a given form are JSON, which Qwen 3 writes. */
  'qwen-coder': { begin: ['<tool_call>'], end: ['</tool_call>'], notation: readXmlCall, layout: HERMES_LAYOUT },
  /** LFM2 and LFM2.5: a list in Python, or in JSON where they are told to. */
  lfm: {
    begin: ['<|tool_call_start|>'],
    end: ['<|tool_call_end|>'],
    notation: readPythonCall,
    layout: listLayout('<|tool_call_start|>', ']<|tool_call_end|>'),
  },
};

export function toolFormat(name: ToolFormatName): ToolFormat {
  return FORMATS[name];
}

/** Texts of a chat template that only one family's has; the first that fits counts. */
const SIGNS: readonly (readonly [ToolFormatName, RegExp])[] = [
  ['deepseek', /<｜tool▁calls▁begin｜>/],
  ['mistral-args', /\[TOOL_CALLS\][^]*\[ARGS\]/],
  ['mistral', /\[TOOL_CALLS\]/],
  ['lfm', /<\|tool_(?:call|list)_start\|>|List of tools: \[/],
  ['qwen-coder', /<function=/],
  ['hermes', /<tool_call>/],
  ['phi', /<\|tool\|>/],
  ['granite', /<\|tool_call\|>/],
  ['llama', /<\|python_tag\|>|<\|start_header_id\|>/],
];

/** The format of a model by its chat template; that of Hermes, which most models have seen, where nothing in it tells. */
export function formatOfTemplate(text: string): ToolFormatName {
  return SIGNS.find(([, sign]) => sign.test(text))?.[0] ?? 'hermes';
}

/** Markers as they may be tokens of their own. */
export function markersOf({ begin, end }: ToolFormat): readonly string[] {
  return [...begin, ...end, '[ARGS]', '[CALL_ID]', '<｜tool▁sep｜>'];
}

/** A call as text. */
export interface WrittenCall {
  readonly name: string;
  readonly arguments: string;
}

/** Calls as a model of the family writes them. */
export function writeCalls({ layout }: ToolFormat, calls: readonly WrittenCall[]): string {
  const written = calls.map(
    ({ name, arguments: given }) => `${layout.before}${name}${layout.within}${given}${layout.after}`,
  );
  return `${layout.open}${written.join(layout.between)}${layout.close}`;
}
