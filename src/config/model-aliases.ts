/** Reads MODEL_ALIASES: model by alias. What cannot be read is added to `problems`. */
export function parseAliases(entries: readonly string[], problems: string[] = []): ReadonlyMap<string, string> {
  const aliases = new Map<string, string>();
  for (const entry of entries) {
    const [alias = '', model = '', ...rest] = entry.split('=').map((part) => part.trim());
    if (alias === '' || model === '' || rest.length > 0)
      problems.push(`MODEL_ALIASES: ${entry}: expected alias=model, such as gpt-4o-mini=chat`);
    else if (aliases.has(alias)) problems.push(`MODEL_ALIASES: ${alias} stands there twice`);
    else aliases.set(alias, model);
  }
  return aliases;
}
