import { keyHeader, serverAddress, serverInfo, type ServerInfo } from '../benchmark/server-info.ts';
import { readCommand } from '../config/command.ts';
import { messageOf } from '../errors.ts';
import { columnsText } from './columns.ts';
import { print, refuse } from './host.ts';
import { PS } from './specs.ts';

const USUAL_ADDRESS = 'localhost:8000';

/** `carpool ps`: the models of a running server. */
export async function ps(argv: readonly string[]): Promise<void> {
  const line = readCommand(PS, argv);
  const [given = USUAL_ADDRESS, other] = 'problem' in line ? [] : line.operands;
  const url = serverAddress(given);
  if ('problem' in line) refuse(line.problem, PS);
  else if (url === undefined || other !== undefined)
    refuse('Give the address of one server: http://localhost:8000', PS);
  else
    try {
      const info = await serverInfo(url, await keyHeader(line.values['key-file']));
      print({ url, ...info }, line.values['json'] === 'true', () => textOf(url, info));
    } catch (error) {
      console.error(messageOf(error));
      process.exitCode = 1;
    }
}

function textOf(url: string, { version, plan, models, asleep }: ServerInfo): string {
  const rows = [
    ...models.map(({ name, version: one = '', task, devices = [], maxItems, queue }) => [
      ...[name, one, task, lanesText(devices), maxItems === undefined ? '' : `up to ${maxItems}`],
      queue === undefined ? '' : `${queue.running} running, ${queue.waiting} waiting`,
    ]),
    ...asleep.map(({ name, task }) => [name, '', task, '', '', 'loaded by its first request']),
  ];
  const table = columnsText([['MODEL', 'VERSION', 'TASK', 'LANES', 'BATCH', 'ITEMS'], ...rows]);
  const shown = rows.length === 0 ? ['It serves no model, or has not loaded one yet.'] : table;
  return [`Carpool ${version} at ${url}${plan === undefined ? '' : `: ${plan.why}`}`, '', ...shown].join('\n');
}

/** `2 x cpu`, `cuda:0, cuda:1`. */
function lanesText(devices: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const device of devices) counts.set(device, (counts.get(device) ?? 0) + 1);
  return [...counts].map(([device, count]) => (count === 1 ? device : `${count} x ${device}`)).join(', ');
}
