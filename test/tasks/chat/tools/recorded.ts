import type { ToolFormatName } from '../../../../src/tasks/chat/tools/formats.ts';

/** Answers as models of each family write them, and what they say. */

export interface Recorded {
  readonly format: ToolFormatName;
  readonly what: string;
  readonly answer: string;
  readonly text: string;
  /** Name and arguments of each call. */
  readonly calls: readonly (readonly [string, unknown])[];
}

export const NAMES = ['get_weather', 'add', 'now'];

const paris = ['get_weather', { city: 'Paris', unit: 'celsius' }] as const;
const braces = ['get_weather', { city: 'a } "b" { \\ ] </tool_call> [TOOL_CALLS] é🚗' }] as const;
const sum = ['add', { a: [1, 2.5, -3e2], deep: { is: null, ok: true } }] as const;
const json = (value: unknown): string => JSON.stringify(value);

export const RECORDED: readonly Recorded[] = [
  {
    ...{ format: 'hermes', what: 'Qwen 2.5: one call', text: '', calls: [paris] },
    answer: `<tool_call>\n{"name": "get_weather", "arguments": ${json(paris[1])}}\n</tool_call>`,
  },
  {
    ...{ format: 'hermes', what: 'Qwen 3: thought, words and two calls', calls: [braces, sum] },
    text: '<think>\nWeather, then a sum.\n</think>\n\nLet me see.',
    answer: `<think>\nWeather, then a sum.\n</think>\n\nLet me see.\n<tool_call>\n{"name": "get_weather", "arguments": ${json(braces[1])}}\n</tool_call>\n<tool_call>\n{"name": "add", "arguments": ${JSON.stringify(sum[1], null, 2)}}\n</tool_call>`,
  },
  {
    ...{ format: 'hermes', what: 'Hermes 2: the arguments first', text: '', calls: [paris] },
    answer: `<tool_call>\n{"arguments": ${json(paris[1])}, "name": "get_weather"}\n</tool_call>`,
  },
  {
    ...{ format: 'hermes', what: 'SmolLM 2: a list within the tags', text: '', calls: [paris, sum] },
    answer: `<tool_call>[\n{"name": "get_weather", "arguments": ${json(paris[1])}},\n{"name": "add", "arguments": ${json(sum[1])}}\n]</tool_call>`,
  },
  { ...{ format: 'hermes', what: 'SmolLM 2: no call', text: '', calls: [] }, answer: '<tool_call>[]</tool_call>' },
  {
    ...{ format: 'hermes', what: 'no closing tags, a brace too few and one too many', calls: [paris, sum], text: '' },
    answer: `<tool_call>{"name": "get_weather", "arguments": ${json(paris[1])}\n<tool_call>{"name": "add", "arguments": ${json(sum[1])}}}`,
  },
  {
    ...{ format: 'hermes', what: 'no arguments, and words behind', calls: [['now', {}]], text: '\nThat is all.' },
    answer: '<tool_call>{"name": "now"}</tool_call>\nThat is all.',
  },
  {
    ...{ format: 'hermes', what: 'arguments as a text within a text', text: '', calls: [paris] },
    answer: `<tool_call>{"type": "function", "function": {"name": "get_weather", "arguments": ${json(json(paris[1]))}}}</tool_call>`,
  },
  { ...{ format: 'hermes', what: 'words alone', calls: [] }, text: 'a < b, <tool>', answer: 'a < b, <tool>' },
  {
    ...{ format: 'llama', what: 'Llama 3.2: one call', text: '', calls: [paris] },
    answer: `{"name": "get_weather", "parameters": ${json(paris[1])}}`,
  },
  {
    ...{ format: 'llama', what: 'Llama 3.1: several calls behind the tag', text: '', calls: [paris, braces] },
    answer: `<|python_tag|>{"name": "get_weather", "parameters": ${json(paris[1])}}; {"name": "get_weather", "parameters": ${json(braces[1])}}`,
  },
  {
    ...{ format: 'llama', what: 'the type first', text: '', calls: [sum] },
    answer: `\n{"type": "function", "name": "add", "parameters": ${json(sum[1])}}`,
  },
  {
    ...{ format: 'llama', what: 'JSON that is an answer', calls: [], text: '{"city": "Paris", "name": "add"}' },
    answer: '{"city": "Paris", "name": "add"}',
  },
  {
    ...{ format: 'llama', what: 'JSON with the name of no tool', calls: [] },
    ...{ text: '{"name": "Bob", "parameters": {}}', answer: '{"name": "Bob", "parameters": {}}' },
  },
  {
    ...{ format: 'mistral', what: 'Mistral 7B v0.3: a list with ids', text: '', calls: [paris, sum] },
    answer: `[TOOL_CALLS] [{"name": "get_weather", "arguments": ${json(paris[1])}, "id": "VvvODy9mT"}, {"name": "add", "arguments": ${json(sum[1])}, "id": "aB3dE5fG7"}]`,
  },
  {
    ...{ format: 'mistral', what: 'Nemo: words before', text: 'Let me see.', calls: [braces] },
    answer: `Let me see.[TOOL_CALLS][{"name": "get_weather", "arguments": ${json(braces[1])}}]`,
  },
  {
    ...{ format: 'mistral-args', what: 'Devstral: two calls', text: '', calls: [braces, sum] },
    answer: `[TOOL_CALLS]get_weather[ARGS]${json(braces[1])}[TOOL_CALLS]add[ARGS]${json(sum[1])}`,
  },
  {
    ...{ format: 'mistral-args', what: 'Small 3.2: with an id', text: 'Yes.', calls: [paris] },
    answer: `Yes.[TOOL_CALLS]get_weather[CALL_ID]aB3dE5fG7[ARGS]${json(paris[1])}`,
  },
  {
    ...{ format: 'granite', what: 'Granite 3', text: '', calls: [paris, sum] },
    answer: `<|tool_call|>[{"name": "get_weather", "arguments": ${json(paris[1])}}, {"name": "add", "arguments": ${json(sum[1])}}]`,
  },
  {
    ...{ format: 'phi', what: 'Phi 4 mini', text: '', calls: [paris] },
    answer: `<|tool_call|>[{"type": "function", "function": {"name": "get_weather", "arguments": ${json(paris[1])}}}]<|/tool_call|>`,
  },
  {
    ...{ format: 'deepseek', what: 'V3 and R1: blocks of code', text: '<think>\n</think>', calls: [paris, braces] },
    answer: `<think>\n</think>\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n\`\`\`json\n${json(paris[1])}\n\`\`\`<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n\`\`\`json\n${json(braces[1])}\n\`\`\`<｜tool▁call▁end｜><｜tool▁calls▁end｜>`,
  },
  {
    ...{ format: 'deepseek', what: 'V3.1', text: '', calls: [sum] },
    answer: `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>add<｜tool▁sep｜>${json(sum[1])}<｜tool▁call▁end｜><｜tool▁calls▁end｜>`,
  },
  {
    ...{ format: 'qwen-coder', what: 'Qwen3-Coder: texts as they are, and other values', calls: [paris, sum] },
    text: 'Let me see.',
    answer: `Let me see.\n<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n<parameter=unit>\ncelsius\n</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=add>\n<parameter=a>\n${json(sum[1].a)}\n</parameter>\n<parameter=deep>\n${json(sum[1].deep)}\n</parameter>\n</function>\n</tool_call>`,
  },
  {
    ...{ format: 'qwen-coder', what: 'lines, marks of calls and no arguments', text: '' },
    calls: [
      ['get_weather', { city: 'a\n</parameter> {"b"}\n\nc', unit: '1' }],
      ['now', {}],
    ],
    answer:
      '<tool_call>\n<function=get_weather>\n<parameter=city>\na\n</parameter> {"b"}\n\nc\n</parameter>\n<parameter=unit>\n1\n</parameter>\n</function>\n</tool_call><tool_call><function=now>\n</function></tool_call>',
  },
  {
    ...{ format: 'qwen-coder', what: 'JSON, as other models of the family', text: '', calls: [paris] },
    answer: `<tool_call>\n{"name": "get_weather", "arguments": ${json(paris[1])}}\n</tool_call>`,
  },
  {
    ...{ format: 'lfm', what: 'LFM2: a list in Python', text: '', calls: [paris, sum] },
    answer:
      "<|tool_call_start|>[get_weather(city='Paris', unit=\"celsius\"), add(a=[1, 2.5, -3e2], deep={'is': None, 'ok': True})]<|tool_call_end|>",
  },
  {
    ...{ format: 'lfm', what: 'escapes, brackets, words behind and no arguments', text: 'Checking.', calls: [] },
    ...{
      calls: [
        ['get_weather', { city: 'a ) "b" [ \\ \' é🚗\n', unit: 'x' }],
        ['now', {}],
      ],
    },
    answer:
      "<|tool_call_start|>[get_weather(city='a ) \"b\" [ \\\\ \\' \\u00e9🚗\\n', unit='x'), now()]<|tool_call_end|>Checking.",
  },
  {
    ...{ format: 'lfm', what: 'LFM2, told to write JSON', text: '', calls: [paris, braces] },
    answer: `<|tool_call_start|>[{"name": "get_weather", "arguments": ${json(paris[1])}}, {"name": "get_weather", "arguments": ${json(braces[1])}}]<|tool_call_end|>`,
  },
];

/** Which arguments of the tools are texts. */
export const TEXTS = { get_weather: { city: true, unit: true }, add: { a: false, deep: false }, now: {} };
