/** The code blocks of a Markdown page, with what the comments above them tell of their test. */

export interface Block {
  readonly page: string;
  /** Line of the fence in the page, counted from 1. */
  readonly line: number;
  /** Language of the fence, '' where it has none. */
  readonly language: string;
  /** Lines without the indentation of the fence. */
  readonly text: string;
  /** The section it stands in: the line of the heading above. */
  readonly section: number;
  /** HTML comments right above the fence: `<!-- name: value -->`. */
  readonly notes: ReadonlyMap<string, string>;
}

const FENCE = /^( *)```(\w*)\s*$/;
const NOTE = /^ *<!-- *([a-z][a-z ]*?)(?:: *(.*?))? *-->$/;

/** All fenced blocks of a page, in order. Throws an Error for a fence that is not closed. */
export function blocksOf(page: string, text: string): Block[] {
  const lines = text.split('\n');
  const blocks: Block[] = [];
  let section = 0;
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    if (/^#+ /.test(line)) section = at + 1;
    const [, indent, language = ''] = FENCE.exec(line) ?? [];
    if (indent === undefined) continue;
    const end = lines.findIndex((other, index) => index > at && other.trimEnd() === `${indent}\`\`\``);
    if (end < 0) throw new Error(`${page}:${at + 1}: the block is not closed`);
    const body = lines
      .slice(at + 1, end)
      .map((other) => (other.startsWith(indent) ? other.slice(indent.length) : other));
    blocks.push({ page, line: at + 1, language, text: body.join('\n'), section, notes: notesAbove(lines, at) });
    at = end;
  }
  return blocks;
}

function notesAbove(lines: readonly string[], fence: number): Map<string, string> {
  const notes = new Map<string, string>();
  for (let at = fence - 1; at >= 0; at -= 1) {
    const line = lines[at] ?? '';
    const match = NOTE.exec(line);
    if (match === null && line.trim() !== '') break;
    if (match !== null) notes.set(match[1] ?? '', match[2] ?? '');
  }
  return notes;
}

/** How a block is tested. */
export type Role = 'shell' | 'python' | 'typescript' | 'file' | 'output' | 'checked' | 'promql' | 'not run';

const LANGUAGES: Readonly<Record<string, Role>> = { sh: 'shell', python: 'python', ts: 'typescript', promql: 'promql' };

/**
 * The role of each block of a page; undefined where the page says of a block neither how it is tested nor why it is not. The first block
 * without a language, or in JSON, below one that runs in the same section is what that prints.
 */
export function rolesOf(blocks: readonly Block[]): (Role | undefined)[] {
  const roles: (Role | undefined)[] = [];
  for (const [index, block] of blocks.entries()) roles.push(roleOf(block, blocks[index - 1], roles[index - 1]));
  return roles;
}

function roleOf(block: Block, before: Block | undefined, roleBefore: Role | undefined): Role | undefined {
  const { notes, language } = block;
  if (notes.has('not run')) return (notes.get('not run') ?? '').length >= 10 ? 'not run' : undefined;
  if (notes.has('checked as')) return 'checked';
  if (notes.has('file')) return 'file';
  const own = LANGUAGES[language];
  if (own !== undefined) return own;
  if (before?.section !== block.section || !['', 'json', 'text'].includes(language)) return undefined;
  // What a block that is not run prints is not compared with anything.
  if (roleBefore === 'not run' && LANGUAGES[before.language] !== undefined) return 'not run';
  return roleBefore === 'shell' || roleBefore === 'python' ? 'output' : undefined;
}
