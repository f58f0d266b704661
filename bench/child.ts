import { fork } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { messageOf } from '../src/errors.ts';

/** A process of this project's own that answers one message at a time; see `answerMessages` for its side. */
export interface Child<Request, Answer> {
  readonly pid: number;
  ask(request: Request): Promise<Answer>;
  stop(): Promise<void>;
}

type Envelope<Answer> = { readonly answer: Answer } | { readonly failure: string };

/** Starts a compiled module of this folder as a process. */
export function startChild<Request extends object, Answer>(
  module: string,
  args: readonly string[],
): Child<Request, Answer> {
  const child = fork(new URL(module, import.meta.url), [...args], { serialization: 'advanced' });
  return {
    pid: child.pid ?? 0,
    async ask(request) {
      const answered = new Promise<Envelope<Answer>>((resolve, reject) => {
        child.once('message', (message) => resolve(message as Envelope<Answer>));
        child.once('exit', (code) => reject(new Error(`${module} ended with code ${code ?? 'none'}`)));
      });
      child.send(request);
      const envelope = await answered;
      child.removeAllListeners('exit');
      if ('failure' in envelope) throw new Error(`${module}: ${envelope.failure}`);
      return envelope.answer;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

/** The child's side: answers each message; the process ends when its parent disconnects. */
export function answerMessages(answer: (request: never) => Promise<unknown>): void {
  process.on('message', (request) => {
    answer(request as never).then(
      (value) => process.send?.({ answer: value }),
      (error: unknown) => process.send?.({ failure: messageOf(error) }),
    );
  });
}

/** Ends children that do not notice that this process is gone: servers. A signal to this process ends them too. */
export function endWithParent(end: () => void): void {
  if (process.listenerCount('exit') === 0)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  process.once('exit', end);
}
