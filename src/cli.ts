#!/usr/bin/env node
import { endOnFirstSignals, ignoreDebugSignals } from './signals.ts';
import { checkNode, explainLoadFailure } from './load-failure.ts';

/** The entry. Node reads all imports before it runs any of them, so the rest, which takes a third of a second, is imported once signals are listened to. */

ignoreDebugSignals();
endOnFirstSignals();

try {
  checkNode();
  const { main } = await import('./commands/main.ts');
  await main(process.argv.slice(2));
} catch (error) {
  console.error(explainLoadFailure(error));
  process.exitCode = 1;
}
