import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runBurst } from './burst.ts';
import { runOpenLoop } from './open-loop.ts';
import { formatReport } from './report.ts';
import { readScenario, type Scenario } from './scenario.ts';
import { judgeThresholds } from './thresholds.ts';

const USAGE =
  'usage: node dist/load-tests/runner/main.js <scenario> [--url http://127.0.0.1:8000] [--duration-scale 1]';

/** Runs a scenario against a server that is up, prints the report, gives the exit code: 0, 1 (a threshold failed), 2 (usage). */
export async function runLoadTest(args: readonly string[], print: (text: string) => void): Promise<number> {
  let call: { scenario: Scenario; url: string; durationScale: number };
  try {
    call = readCall(args);
  } catch (error) {
    print(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  print(call.scenario.description);
  const run =
    call.scenario.kind === 'burst' ? await runBurst(call.scenario, call) : await runOpenLoop(call.scenario, call);
  const verdicts = judgeThresholds(call.scenario.options.thresholds, run);
  print(`\n${formatReport(run, verdicts)}`);
  return verdicts.every((verdict) => verdict.passed) ? 0 : 1;
}

function readCall(args: readonly string[]): { scenario: Scenario; url: string; durationScale: number } {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      url: { type: 'string', default: 'http://127.0.0.1:8000' },
      'duration-scale': { type: 'string', default: '1' },
    },
  });
  const [name, ...rest] = positionals;
  if (name === undefined || rest.length > 0) throw new Error('name one scenario');
  if (!URL.canParse(values.url)) throw new Error(`--url: not an address: ${values.url}`);
  const durationScale = Number(values['duration-scale']);
  if (!(durationScale > 0)) throw new Error('--duration-scale: a number above 0');
  return { scenario: readScenario(name), url: values.url, durationScale };
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.exitCode = await runLoadTest(process.argv.slice(2), (text) => console.log(text));
