import { styleText } from 'node:util';
import { inspectProcessConfig } from '../config/environment.ts';
import { examine, thisMachine } from '../doctor/doctor.ts';
import type { Finding, Outcome } from '../doctor/finding.ts';
import { readOrRefuse } from './host.ts';
import { DOCTOR } from './specs.ts';

const COLOURS = { ok: 'green', warning: 'yellow', problem: 'red' } as const;
const CHECK_WIDTH = 12;

/** `carpool doctor`. */
export async function doctor(argv: readonly string[]): Promise<void> {
  const line = readOrRefuse(DOCTOR, argv, { operands: 0, otherwise: 'doctor takes no names' });
  if (line === undefined) return;
  const { json, load, strict } = line.values;
  const findings: Finding[] = [];
  const isColoured = process.stdout.isTTY && process.stdout.hasColors();
  await examine({ ...inspectProcessConfig(line.rest), machine: thisMachine(), load: load === 'true' }, (finding) => {
    findings.push(finding);
    if (json !== 'true') console.log(textOf(finding, isColoured));
  });
  const count = (outcome: Outcome): number => findings.filter((finding) => finding.outcome === outcome).length;
  const [problems, warnings] = [count('problem'), count('warning')];
  if (json === 'true') console.log(JSON.stringify({ problems, warnings, findings }, null, 2));
  else
    console.log(`\n${problems} problem${problems === 1 ? '' : 's'}, ${warnings} warning${warnings === 1 ? '' : 's'}`);
  process.exitCode = problems > 0 || (strict === 'true' && warnings > 0) ? 1 : 0;
}

/** `problem  ports         PORT: another process listens on it`, and the cure below it. */
function textOf({ check, outcome, detail, cure }: Finding, isColoured: boolean): string {
  const word = outcome.padEnd('problem'.length);
  const shown = isColoured ? styleText(COLOURS[outcome], word, { validateStream: false }) : word;
  const indent = ' '.repeat('problem'.length + 2);
  return `${shown}  ${check.padEnd(CHECK_WIDTH)}  ${detail}${cure === undefined ? '' : `\n${indent}${' '.repeat(CHECK_WIDTH)}  mend: ${cure}`}`;
}
