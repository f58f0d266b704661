/** Whether JSON is nested more than `depth` deep: walking or cloning it by recursion could run out of stack. */
export function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth === 0) return true;
  for (const child of Array.isArray(value) ? (value as unknown[]) : Object.values(value))
    if (typeof child === 'object' && isDeeper(child, depth - 1)) return true;
  return false;
}
