/** What the main thread and the probe thread share: replies of probes, as they go over the wire. */

export interface ProbeReply {
  readonly status: 200 | 503;
  readonly text: string;
}

/** Takes the place of another reply once the main thread has stood still for so long. */
export interface StalledReply extends ProbeReply {
  readonly afterMs: number;
}

export type ByPath<Reply> = Readonly<Record<string, Reply>>;

/** What the probe thread is started with. */
export interface ProbeThreadData {
  readonly host: string;
  readonly port: number;
  /** One Int32: the main thread adds to it as long as it moves. */
  readonly beats: SharedArrayBuffer;
  readonly replies: ByPath<ProbeReply>;
  readonly stalled: ByPath<StalledReply>;
}

/** The first message of the probe thread. */
export type ProbeThreadAnswer =
  { readonly port: number } | { readonly problem: { readonly code: string; readonly message: string } };

export function probeHead(text: string): Readonly<Record<string, string | number>> {
  return {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
  };
}
