#!/usr/bin/env node
import { endOnFirstSignals, ignoreDebugSignals } from './signals.ts';
import { messageOf } from './errors.ts';

/** The entry. Node reads all that is imported before it runs any of it, so the rest, a third of a second, is imported when signals are listened to. */

ignoreDebugSignals();
endOnFirstSignals();

try {
  const { main } = await import('./commands.ts');
  await main(process.argv.slice(2));
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
