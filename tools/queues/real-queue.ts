/** A queue on a real server of its own, from outside: as those see it who send jobs. For tests and benchmarks. */
export interface RealQueue {
  /** As JOB_SOURCE names it. */
  readonly name: string;
  /** Of its server, on the loopback interface. */
  readonly port: number;
  /** What a worker needs to find it at a port: that of its server, or of a proxy before it. */
  env(port: number): Readonly<Record<string, string>>;
  /**
   * Puts a job on the queue; resolves with the name of its result. Rejects while the queue is away, and is called again then: a queue that can tell
   * by the key that it has the job already does not take it twice.
   */
  send(job: string, key: string): Promise<string>;
  /** The result of a job; undefined: there is none yet. */
  result(id: string): Promise<string | undefined>;
  /** How many jobs are on the queue, those that are held included. */
  jobs(): Promise<number>;
  deadLetters(): Promise<number>;
  /** The longest time in ms since somebody has claimed or extended a job that is held; absent where the queue does not tell. */
  oldestHoldMs?(): Promise<number>;
  /** How many results were stored in all, those that have replaced another included; absent where the queue does not tell. */
  resultsStored?(): Promise<number>;
  /** Kills the server, and starts it again with what it has on disk; absent where it has nothing there, or is the worker. */
  restart?(): Promise<void>;
  /** Stops the server's process where it stands; returns how it goes on. Absent where the server is the worker. */
  pause?(): () => void;
  /** The server that keeps the jobs serves them, too: one `carpool serve`. Absent: as many `carpool work` as are wanted. */
  readonly isWorker?: true;
  stop(): Promise<void>;
}
