#!/usr/bin/env node
import { endOnFirstSignals, ignoreDebugSignals } from './signals.ts';
import { messageOf } from './errors.ts';

/** The entry. Node reads all imports before it runs any of them, so the rest, which takes a third of a second, is imported once signals are listened to. */

ignoreDebugSignals();
endOnFirstSignals();

try {
  const { main } = await import('./commands/main.ts');
  await main(process.argv.slice(2));
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
