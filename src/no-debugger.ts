/**
 * SIGUSR1 would open Node's debugger, which runs whatever it is told, and SIGUSR2 would end the process without a drain. Neither asks
 * anything of this server; with a listener of its own it ignores them. `node --inspect` opens a debugger all the same.
 */
for (const signal of ['SIGUSR1', 'SIGUSR2']) process.on(signal, () => undefined);
