import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { fileUrl } from './documents.ts';

/** Every line that the sources can write to the log, as far as they say so themselves. */

export interface LogCall {
  /** Where it is: file and line. */
  readonly place: string;
  /** The messages that it may have, `...` for what is put in; none where the text comes from elsewhere (what a program prints). */
  readonly messages: readonly string[];
  /** The levels that it may have; any, where they come from elsewhere. */
  readonly levels: readonly string[];
  readonly fields: readonly string[];
  /** Whether these are all of its fields: no object is spread among them. */
  readonly isComplete: boolean;
}

const LEVELS = ['debug', 'info', 'warn', 'error'];
const SOURCES = fileURLToPath(fileUrl('src'));

/** The calls `log.warn({ reason }, 'message')` of all sources; the log is called `log` or `access` everywhere. */
export function logCalls(): LogCall[] {
  return readdirSync(SOURCES, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => callsOf(name, readFileSync(path.join(SOURCES, name), 'utf8')));
}

function callsOf(name: string, text: string): LogCall[] {
  if (!/\b(log|access)\b/.test(text)) return [];
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.ES2023, true);
  const found: LogCall[] = [];
  const visit = (node: ts.Node): void => {
    const call = ts.isCallExpression(node) ? callOf(node, file) : undefined;
    if (call !== undefined) found.push(call);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function callOf({ expression, arguments: given }: ts.CallExpression, file: ts.SourceFile): LogCall | undefined {
  const isElement = ts.isElementAccessExpression(expression);
  if (!isElement && !ts.isPropertyAccessExpression(expression)) return undefined;
  if (!/(^|\.)#?(log|access)$/.test(expression.expression.getText())) return undefined;
  const levels = isElement ? textsOf(expression.argumentExpression, file) : [expression.name.text];
  const [first, second] = given;
  if (first === undefined || levels.some((level) => !LEVELS.includes(level))) return undefined;
  const line = file.getLineAndCharacterOfPosition(first.getStart()).line + 1;
  const about = second === undefined ? [] : propertiesOf(first);
  return {
    place: `src/${file.fileName}:${line}`,
    messages: textsOf(second ?? first, file),
    levels,
    fields: about.filter((field) => field !== ''),
    isComplete: !about.includes(''),
  };
}

/** Names of an object's properties; '' for what is spread into it, or is no literal. */
function propertiesOf(node: ts.Node): string[] {
  if (!ts.isObjectLiteralExpression(node)) return [''];
  return node.properties.map((property) => (property.name === undefined ? '' : property.name.getText()));
}

/** The texts that an expression may be; none where it cannot be told. */
function textsOf(node: ts.Expression, file: ts.SourceFile): string[] {
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isConditionalExpression(node)) return [...textsOf(node.whenTrue, file), ...textsOf(node.whenFalse, file)];
  if (ts.isTemplateExpression(node))
    return [[node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)].join('...')];
  if (ts.isIdentifier(node)) {
    const value = new RegExp(`const ${node.text} =\\s*'((?:[^'\\\\\\n]|\\\\.)*)'`).exec(file.text)?.[1];
    return value === undefined ? [] : [value];
  }
  return [];
}
