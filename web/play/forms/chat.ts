import { messageOfTurn, type Turn } from '../chat-turns.ts';
import { FormProblem, type Field, type ModelAbout, type Play, type PlayRequest, type Values } from '../types.ts';
import { given, isOn, jsonOf, neededText, numberOf, textOf } from '../values.ts';

/** Chats and completions, by OpenAI's API. */

const SAMPLING: readonly Field[] = [
  {
    kind: 'number',
    name: 'temperature',
    label: 'Temperature',
    value: '',
    min: 0,
    max: 2,
    step: 0.1,
    placeholder: 'model default',
    help: '0 always takes the most likely token',
  },
  { kind: 'number', name: 'max_tokens', label: 'Max tokens', value: '512', min: 1, step: 1 },
  {
    kind: 'number',
    name: 'top_p',
    label: 'Top p',
    value: '',
    min: 0,
    max: 1,
    step: 0.05,
    placeholder: 'model default',
    isMore: true,
  },
  {
    kind: 'number',
    name: 'top_k',
    label: 'Top k',
    value: '',
    min: -1,
    step: 1,
    placeholder: 'model default',
    isMore: true,
  },
  {
    kind: 'number',
    name: 'repetition_penalty',
    label: 'Repetition penalty',
    value: '',
    min: 0.1,
    max: 10,
    step: 0.05,
    placeholder: 'model default',
    isMore: true,
  },
  {
    kind: 'number',
    name: 'seed',
    label: 'Seed',
    value: '',
    step: 1,
    placeholder: 'random',
    help: 'the same seed gives the same answer',
    isMore: true,
  },
];

const TOOLS_HELP = 'functions that the model may call, in the format of OpenAI';
const SCHEMA_HELP = 'the answer is JSON that fits this schema';

/** What can be set of a chat. */
export const CHAT_FIELDS: readonly Field[] = [
  {
    kind: 'text',
    name: 'system',
    label: 'System prompt',
    value: '',
    rows: 3,
    mayBeEmpty: true,
    placeholder: 'You are a helpful assistant.',
  },
  ...SAMPLING,
  {
    kind: 'switch',
    name: 'think',
    label: 'Thinking',
    value: true,
    help: 'has an effect where the chat template can switch it off',
    isMore: true,
  },
  {
    kind: 'json',
    name: 'schema',
    label: 'JSON schema',
    value: '',
    rows: 5,
    mayBeEmpty: true,
    help: SCHEMA_HELP,
    isMore: true,
  },
  { kind: 'json', name: 'tools', label: 'Tools', value: '', rows: 6, mayBeEmpty: true, help: TOOLS_HELP, isMore: true },
];

function samplingOf(values: Values): Readonly<Record<string, unknown>> {
  const names = ['temperature', 'max_tokens', 'top_p', 'top_k', 'repetition_penalty', 'seed'];
  return given(Object.fromEntries(names.map((name) => [name, numberOf(values, name)])));
}

/** The request for the next answer of a conversation. Throws a FormProblem. */
export function chatRequest({ name }: ModelAbout, turns: readonly Turn[], values: Values): PlayRequest {
  const system = textOf(values, 'system');
  const schema = jsonOf(values, 'schema');
  const tools = jsonOf(values, 'tools');
  if (tools !== undefined && !Array.isArray(tools))
    throw new FormProblem('tools', 'Tools are a list: [{"type": "function", ...}].');
  const messages = [
    ...(system.trim() === '' ? [] : [{ role: 'system', content: system }]),
    ...turns.map(messageOfTurn),
  ];
  const value = {
    model: name,
    messages,
    ...samplingOf(values),
    ...given({
      tools,
      response_format:
        schema === undefined ? undefined : { type: 'json_schema', json_schema: { name: 'answer', schema } },
      reasoning_effort: isOn(values, 'think') ? undefined : 'none',
    }),
    stream: true,
  };
  return { path: '/v1/chat/completions', body: { kind: 'json', value }, isStream: true };
}

/** A text that the model goes on with, without a chat template. */
export function completionPlay({ name }: ModelAbout): Play {
  return {
    id: 'completion',
    title: 'Complete',
    streams: 'completion',
    fields: [
      { kind: 'text', name: 'prompt', label: 'Prompt', value: 'Once upon a time', rows: 5 },
      {
        kind: 'text',
        name: 'suffix',
        label: 'Suffix',
        value: '',
        rows: 3,
        mayBeEmpty: true,
        isMore: true,
        help: 'the model fills in the text between prompt and suffix; only models trained for that can',
      },
      ...SAMPLING.map((field): Field =>
        field.name === 'max_tokens' && field.kind === 'number' ? { ...field, value: '64' } : field,
      ),
    ],
    request(values) {
      const suffix = textOf(values, 'suffix');
      const value = {
        model: name,
        prompt: neededText(values, 'prompt', 'The prompt'),
        ...(suffix === '' ? {} : { suffix }),
        ...samplingOf(values),
        stream: true,
      };
      return { path: '/v1/completions', body: { kind: 'json', value }, isStream: true };
    },
    read: () => [],
  };
}
