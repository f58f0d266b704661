/** Nobody is kept waiting for longer by one header: what is meant to be longer is said again. */
const LONGEST_MS = 3_600_000;

/**
 * The wait in ms that a `Retry-After` asks for, in seconds or as one of HTTP's three forms of a date; an hour at most. Undefined for none, for one that
 * cannot be read, and for a date that is past, as it is by a clock that is fast. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function retryAfterMs(header: string | readonly string[] | undefined, nowMs = Date.now()): number | undefined {
  const text = (typeof header === 'string' ? header : header?.[0])?.trim() ?? '';
  // Some servers send parts of a second.
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : dateMs(text) - nowMs;
  return ms > 0 ? Math.min(ms, LONGEST_MS) : undefined;
}

/** NaN for what is no date of HTTP: `Date.parse` takes almost anything that has a number. https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7 */
function dateMs(text: string): number {
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? .*\d\d:\d\d:\d\d/.test(text)) return NaN;
  // The form of asctime names no zone, and means GMT.
  return Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
}
