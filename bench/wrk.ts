import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ClosedLoopAnswer, ClosedLoopRequest } from './load-client.ts';
import { childrenCpuSeconds } from './process-usage.ts';

/** wrk (https://github.com/wg/wrk) as the client of a closed loop: it needs a fraction of the processor that one in JavaScript needs. */

const TIMEOUT_SECONDS = 10;

/** wrk's version; undefined: it is not installed. */
export function wrkVersion(): string | undefined {
  // It answers `-v` with its usage and status 1.
  const { stdout } = spawnSync('wrk', ['-v'], { encoding: 'utf8' });
  return /wrk \S+/.exec(typeof stdout === 'string' ? stdout : '')?.[0];
}

/** Loads a server from one thread. Throws a plain Error when wrk fails. */
export async function closedLoopByWrk(request: ClosedLoopRequest): Promise<ClosedLoopAnswer> {
  const { host = '127.0.0.1', port, payload, connections, seconds } = request;
  const folder = mkdtempSync(path.join(tmpdir(), 'carpool-wrk-'));
  try {
    const [script, body] = [path.join(folder, 'load.lua'), path.join(folder, 'body')];
    writeFileSync(body, payload.body);
    writeFileSync(script, scriptOf(payload.headers, body));
    const flags = ['-t1', `-c${connections}`, `-d${seconds}s`, `--timeout=${TIMEOUT_SECONDS}s`, `--script=${script}`];
    const cpuBefore = childrenCpuSeconds();
    const output = await outputOf('wrk', [...flags, `http://${host}:${port}${payload.path}`]);
    return { ...parseReport(output), cpuSeconds: childrenCpuSeconds() - cpuBefore };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function scriptOf(headers: Readonly<Record<string, string>>, bodyFile: string): string {
  const lines = Object.entries(headers).map(
    ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
  );
  return `wrk.method = "POST"
${lines.join('\n')}
local file = io.open(${JSON.stringify(bodyFile)}, "rb")
wrk.body = file:read("*a")
file:close()
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("REPORT %d %d %d %d %d %d\\n", summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(50), latency:percentile(99)))
end
`;
}

/** Reads the line REPORT: requests, duration in us, replies with an error status, other errors, p50 and p99 in us. */
export function parseReport(output: string): Omit<ClosedLoopAnswer, 'cpuSeconds'> {
  const numbers = /^REPORT ([\d ]+)$/m.exec(output)?.[1]?.split(' ').map(Number);
  if (numbers === undefined) throw new Error(`wrk did not report:\n${output}`);
  const [requests = 0, durationUs = 0, refused = 0, broken = 0, p50Us = 0, p99Us = 0] = numbers;
  const answered = requests - refused;
  return {
    requests: answered,
    perSecond: answered / (durationUs / 1e6),
    p50Ms: p50Us / 1000,
    p99Ms: p99Us / 1000,
    failures: refused + broken,
  };
}

async function outputOf(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`wrk ended with code ${code ?? 'none'}:\n${output}`);
  return output;
}
