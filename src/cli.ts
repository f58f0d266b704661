#!/usr/bin/env node
import './no-debugger.ts';
import { endOnFirstSignals } from './stop-signals.ts';
import { messageOf } from './errors.ts';

/** The entry. Node reads all that is imported before it runs any of it, so the rest, a third of a second, is imported when signals are listened to. */

endOnFirstSignals();

try {
  const { main } = await import('./commands.ts');
  await main(process.argv.slice(2));
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
