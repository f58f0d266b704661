import { createHash } from 'node:crypto';
import { parseObject } from './call-draft.ts';
import type { AskedCall, Message } from '../messages.ts';
import { writeCalls, type ToolFormat } from './formats.ts';
import type { Tool, ToolUse } from './tool-use.ts';

/** What a chat template does with tools, by its text. */
export interface TemplateSkills {
  /** It writes the tools. */
  readonly tools: boolean;
  /** It takes them as a text in the system message. */
  readonly toolsInMessage: boolean;
  /** It writes the calls of earlier turns. */
  readonly calls: boolean;
  /** It has a role for their results. */
  readonly results: boolean;
  /** It tells turns that only call by their content, which is then null; others fail on that. */
  readonly nullContent: boolean;
}

export function skillsOf(template: string): TemplateSkills {
  return {
    tools: /\btools\b/.test(template),
    toolsInMessage: /message\[['"]tools['"]\]|message\.tools\b/.test(template),
    calls: /\btool_calls\b/.test(template),
    results: /\btools\b|['"]tool['"]/.test(template),
    nullContent: /content\b['"\]]*\s+is\s+(not\s+)?none/i.test(template),
  };
}

/** A message as templates read it. */
export type TemplateMessage = Readonly<Record<string, unknown>>;

/** Opens the result of a call where the template has no role for it. */
const RESULT = '<tool_response>';

interface Rendering {
  readonly format: ToolFormat;
  readonly skills: TemplateSkills;
  readonly toolUse: ToolUse | undefined;
}

/** Tools as templates of transformers take them. */
export function templateTools({ tools }: ToolUse): readonly Readonly<Record<string, unknown>>[] {
  return tools.map((tool) => ({ type: 'function', function: plainTool(tool) }));
}

function plainTool({ name, description, parameters }: Tool): Readonly<Record<string, unknown>> {
  return { name, ...(description === undefined ? {} : { description }), parameters };
}

/** The messages for a template: what it does not know of tools is written into their texts. */
export function templateMessages(messages: readonly Message[], rendering: Rendering): readonly TemplateMessage[] {
  const { skills, toolUse } = rendering;
  const names = new Map<string, string>();
  const turns: TemplateMessage[] = [];
  for (const message of messages) {
    for (const { id, function: called } of message.tool_calls ?? []) names.set(id, called.name);
    if (message.role === 'tool')
      addResult(turns, message, { ...rendering, name: names.get(message.tool_call_id ?? '') });
    else if (message.tool_calls === undefined) turns.push({ ...message });
    else turns.push(callingTurn(message, message.tool_calls, rendering));
  }
  if (toolUse === undefined) return turns;
  if (skills.toolsInMessage) return withSystem(turns, { tools: JSON.stringify(toolUse.tools.map(plainTool)) });
  return skills.tools ? turns : withSystem(turns, { content: instructions(toolUse, rendering.format) });
}

function callingTurn(message: Message, calls: readonly AskedCall[], { format, skills }: Rendering): TemplateMessage {
  const { content } = message;
  if (!skills.calls) {
    const written = writeCalls(
      format,
      calls.map((call) => call.function),
    );
    const own = Object.fromEntries(Object.entries(message).filter(([field]) => field !== 'tool_calls'));
    return { ...own, content: content === null ? written : `${content}\n${written}` };
  }
  const given = calls.map(({ id, type, function: { name: tool, arguments: text } }) => ({
    id: idFor(id, format),
    type,
    function: { name: tool, arguments: format.argumentsAsText === true ? text : (parseObject(text) ?? text) },
  }));
  return { ...message, content: content ?? (skills.nullContent ? null : ''), tool_calls: given };
}

/** A template without tools has no role for their results: they become a user's turn, several of them one, because turns must alternate. */
function addResult(
  turns: TemplateMessage[],
  { content, name, tool_call_id: id = '' }: Message,
  { format, skills, name: called }: Rendering & { readonly name: string | undefined },
): void {
  const known = name ?? called;
  if (skills.results) {
    const own = known === undefined ? {} : { name: known };
    turns.push({ role: 'tool', content, ...own, tool_call_id: idFor(id, format) });
    return;
  }
  const text = `${RESULT}\n${content ?? ''}\n</tool_response>`;
  const last = turns.at(-1);
  const before = last?.['role'] === 'user' ? String(last['content']) : '';
  if (before.startsWith(RESULT)) turns[turns.length - 1] = { role: 'user', content: `${before}\n${text}` };
  else turns.push({ role: 'user', content: text });
}

/** The turns with a field of the system message; a text goes behind its own. */
function withSystem(turns: readonly TemplateMessage[], field: TemplateMessage): readonly TemplateMessage[] {
  const [first, ...others] = turns;
  if (first?.['role'] !== 'system') return [{ role: 'system', content: '', ...field }, ...turns];
  const { content } = field;
  const both = typeof content === 'string' ? { content: `${String(first['content'])}\n\n${content}` } : {};
  return [{ ...first, ...field, ...both }, ...others];
}

/** Tells a model about tools whose template does not; in the words that Hermes models were trained on, most others have seen the like. */
function instructions({ tools }: ToolUse, format: ToolFormat): string {
  const listed = tools.map((tool) => JSON.stringify({ type: 'function', function: plainTool(tool) })).join('\n');
  const example = writeCalls(format, [{ name: '<function-name>', arguments: '<arguments as JSON object>' }]);
  return [
    'You may call functions to answer. Their signatures are within <tools></tools>:',
    `<tools>\n${listed}\n</tools>`,
    'To call a function, write its name and arguments like this, and nothing after it:',
    example,
    'The result of each call comes within <tool_response></tool_response>.',
  ].join('\n');
}

/** Some templates take only ids of nine letters and digits: another id becomes such a one, always the same. */
function idFor(id: string, { shortIds }: ToolFormat): string {
  if (shortIds !== true || /^[A-Za-z0-9]{9}$/.test(id)) return id;
  return createHash('sha256').update(id).digest('hex').slice(0, 9);
}
