import { setTimeout as sleep } from 'node:timers/promises';
import { percentileOf } from '../../src/benchmark/statistics.ts';

/** Loads on a running server, each over HTTP as a client would send it. */

export interface LoadAnswer {
  /** Texts, tokens or files. */
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly failures: number;
}

/** `clients` send one request after the other for `seconds`; `send` answers with what a request was worth. */
export async function closedLoop(
  { clients, seconds }: { clients: number; seconds: number },
  send: (count: number) => Promise<number>,
): Promise<LoadAnswer> {
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  const times: number[] = [];
  let worth = 0;
  let failures = 0;
  let count = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const beforeMs = performance.now();
      try {
        const done = await send(count++);
        worth += done;
        times.push(performance.now() - beforeMs);
      } catch {
        failures += 1;
        await sleep(10);
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return { perSecond: (worth * 1000) / (performance.now() - startMs), p50Ms: percentileOf(times, 50), failures };
}

/** Posts JSON and gives the answer. Throws a plain Error on any status but 200. */
export async function postJson(url: string, body: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  return response.json();
}

/** When each token of a streamed chat came, until its end or until `signal` says that the client leaves. */
export async function streamTimes(url: string, body: object, signal?: AbortSignal): Promise<number[]> {
  const times: number[] = [];
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ ...body, stream: true }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (response.status !== 200 || response.body === null) throw new Error(String(response.status));
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>)
      if (/"content":"[^"]/.test(decoder.decode(chunk, { stream: true }))) times.push(performance.now());
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
  return times;
}

/** A streamed chat: milliseconds to the first token and between the tokens after it. */
export async function streamChat(url: string, body: object): Promise<{ firstMs: number; gapsMs: number[] }> {
  const startMs = performance.now();
  const times = await streamTimes(url, body);
  const [first = startMs] = times;
  return { firstMs: first - startMs, gapsMs: times.slice(1).map((time, index) => time - (times[index] ?? time)) };
}

/** Posts a WAV file to the OpenAI route and gives the text. */
export async function transcribe(url: string, file: Uint8Array<ArrayBuffer>): Promise<string> {
  const form = new FormData();
  form.set('model', 'transcription');
  form.set('file', new Blob([file], { type: 'audio/wav' }), 'audio.wav');
  const response = await fetch(url, { method: 'POST', body: form });
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  return ((await response.json()) as { text: string }).text;
}

/** The 99th percentile of the main thread's delay since the last scrape, in milliseconds. */
export function loopDelayMs(metrics: string): number {
  return Number(/^carpool_event_loop_delay_seconds\{statistic="p99"\} (\S+)$/m.exec(metrics)?.[1] ?? Number.NaN) * 1000;
}
