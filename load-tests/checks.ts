/**
 * What a right reply is. The k6 scripts and the project's own runner share this file, so it uses nothing of either: no k6, no Node.
 */

export interface LoadRequest {
  /** Tag of its samples. */
  readonly name: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** What a reply with status 200 must contain: see `contains`. */
  readonly expect?: unknown;
}

export interface Reply {
  /** 0: no reply came. */
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: string;
}

/** Named verdicts, as k6's `check` wants them. */
export type Verdicts = Readonly<Record<string, boolean>>;

/** A 200 must hold the right answer, a 429 must say when to come back; nothing else is right. */
export function judgeReply(request: LoadRequest, reply: Reply): Verdicts {
  if (reply.status === 200) {
    const right = request.expect === undefined || contains(parse(reply.body), request.expect);
    return { [`${request.name}: answer is right`]: right };
  }
  if (reply.status === 429) return { [`${request.name}: refusal says when to come back`]: isRefusal(reply) };
  return { [`${request.name}: answered or refused`]: false };
}

/** A refusal is JSON with a text, a code and a time, and has a Retry-After header of whole seconds. */
export function isRefusal(reply: Reply): boolean {
  const body = parse(reply.body);
  if (reply.status !== 429 || !isRecord(body)) return false;
  const { error, code, retryAfterMs } = body;
  return (
    typeof error === 'string' &&
    typeof code === 'string' &&
    typeof retryAfterMs === 'number' &&
    /^\d+$/.test(reply.retryAfter ?? '')
  );
}

/** The reference burst: how a reply to `{"data": value}` counts. */
export function judgeSquare(value: number, reply: Reply): 'square' | 'refused' | 'wrong' {
  if (reply.status === 200 && contains(parse(reply.body), { result: value * value })) return 'square';
  return isRefusal(reply) ? 'refused' : 'wrong';
}

/**
 * The reference burst: whether the health check says `status`, with HTTP 200. Scripts look for the word `ready` in the body,
 * so a busy one must not hold it anywhere.
 */
export function judgeHealth(status: 'ready' | 'busy', reply: Reply): boolean {
  if (reply.status !== 200 || !contains(parse(reply.body), { status })) return false;
  return reply.body.includes('ready') === (status === 'ready');
}

/** Whether `actual` has everything `expected` has: fields of objects, leading elements of arrays, equal values. */
export function contains(actual: unknown, expected: unknown): boolean {
  if (Array.isArray(expected))
    return Array.isArray(actual) && expected.every((element, index) => contains(actual[index], element));
  if (isRecord(expected))
    return isRecord(actual) && Object.keys(expected).every((name) => contains(actual[name], expected[name]));
  return actual === expected;
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
