import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerMessages } from '../child.ts';

/** A process that holds connections open. */

export interface HoldRequest {
  readonly port: number;
  readonly count: number;
  /** Sent on each connection once it is open. */
  readonly text: string;
  /** Whether each waits for a reply to it. */
  readonly isAnswered: boolean;
}

export interface HoldAnswer {
  /** Connections still open. */
  readonly open: number;
}

export type HolderRequest = { readonly kind: 'hold'; readonly hold: HoldRequest } | { readonly kind: 'release' };

/** Connections that are opened at a time. */
const AT_ONCE = 100;
/** Whatever the server does with them at once, it has done by then. */
const SETTLE_MS = 1000;

const held = new Set<Socket>();

async function hold({ port, count, text, isAnswered }: HoldRequest): Promise<void> {
  let begun = 0;
  const openNext = async (): Promise<void> => {
    while (begun < count) {
      begun += 1;
      const socket = connect({ port, host: '127.0.0.1' });
      held.add(socket);
      socket.on('error', () => undefined).once('close', () => held.delete(socket));
      const answered = isAnswered ? once(socket, 'data') : undefined;
      await once(socket, 'connect');
      if (text !== '') socket.write(text);
      await answered;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, openNext));
  await sleep(SETTLE_MS);
}

answerMessages(async (request: HolderRequest): Promise<HoldAnswer> => {
  if (request.kind === 'hold') await hold(request.hold);
  else {
    const closed = [...held].map((socket) => once(socket, 'close'));
    for (const socket of held) socket.destroy();
    await Promise.all(closed);
    await sleep(SETTLE_MS);
  }
  return { open: held.size };
});
