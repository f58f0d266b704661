import { systemClock } from '../../../src/core/clock.ts';
import { Child } from '../../../src/jobs/commands/child.ts';

/** Stands for a server that is killed while it runs a command: prints the command's processes, and waits. Without `run` it does nothing: `node --test` starts every file. */
if (process.argv[2] === 'run') {
  await Child.start({
    command: '/bin/sh',
    arguments: ['-c', 'sleep 1000 & echo $$ $!; wait'],
    environment: process.env,
    clock: systemClock,
    output: { line: (_stream, text) => console.log(text), dropped: () => undefined },
  });
  setInterval(() => undefined, 1000);
}
