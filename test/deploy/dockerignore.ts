/** The rules of a .dockerignore: patterns from the root of the context, `!` takes back, the last match decides. */
export function ignoreRules(text: string): (file: string) => boolean {
  const rules = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ keep: line.startsWith('!'), pattern: patternOf(line.replace(/^!/, '').replace(/\/$/, '')) }));
  return (file) => {
    let ignored = false;
    for (const { keep, pattern } of rules) if (pattern.test(file)) ignored = !keep;
    return ignored;
  };
}

/** A pattern also takes all that lies below what it names. */
function patternOf(glob: string): RegExp {
  const body = glob
    .split(/(\*\*\/|\*\*|\*|\?)/)
    .map((part) => {
      if (part === '**/') return '(?:.*/)?';
      if (part === '**') return '.*';
      if (part === '*') return '[^/]*';
      if (part === '?') return '[^/]';
      return part.replace(/[.+^${}()|[\]\\]/g, '\\$&');
    })
    .join('');
  return new RegExp(`^${body}(?:/.*)?$`);
}
