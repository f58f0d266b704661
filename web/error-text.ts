/** What to tell a person of something thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
