import { listenProblem, type PortOption } from '../http/listen-problem.ts';
import { tryToListen } from '../http/listen.ts';
import { reach, type Reached } from './reach.ts';
import { messageOf } from '../errors.ts';
import { isOnSalad } from '../salad/node.ts';
import { Imds } from '../salad/imds.ts';
import { ok, problem, warning, type Found, type Machine, type Patient } from './finding.ts';
import { firstLine } from './runtime.ts';

/** Ports, IPv6 and SaladCloud's metadata service. */

export async function checkPorts({ config, machine }: Patient): Promise<Found[]> {
  const options: PortOption[] = config.PROBE_PORT > 0 ? ['PORT', 'PROBE_PORT'] : ['PORT'];
  const found: Found[] = [];
  for (const option of options) {
    const port = config[option];
    try {
      await tryToListen({ host: config.HOST, port });
      found.push(ok(port === 0 ? `${option}=0: a free one is taken` : `${option}=${port} is free`));
    } catch (error) {
      found.push(
        problem(
          `${listenProblem(config, error, option)}${await holderOf(machine, error, port)}`,
          cureOfPort(option, error, port),
        ),
      );
    }
  }
  return found;
}

/** Who listens on a port in use, as far as this user may see: `; it is node (process 123)`. */
async function holderOf({ run }: Machine, error: unknown, port: number): Promise<string> {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return '';
  const text = await run('ss', ['-ltnpH', `sport = :${port}`]).catch(() => '');
  const [, name, pid] = /users:\(\("([^"]+)",pid=(\d+)/.exec(text) ?? [];
  return pid === undefined ? '' : `; it is ${name ?? ''} (process ${pid})`;
}

function cureOfPort(option: PortOption, error: unknown, port: number): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return `ss -ltnp 'sport = :${port}'   # says who; or export ${option}=${port + 1}`;
  if (code === 'EACCES') return `export ${option}=${port + 8000}`;
  return 'export HOST=::';
}

export async function checkIpv6({ config }: Patient): Promise<Found[]> {
  const hasIpv6 = await tryToListen({ host: '::1', port: 0 }).then(
    () => true,
    () => false,
  );
  if (hasIpv6) return [ok('there')];
  const cure =
    'sysctl -w net.ipv6.conf.all.disable_ipv6=0   # in Docker: docker run --sysctl net.ipv6.conf.all.disable_ipv6=0';
  if (isOnSalad(config)) return [problem("not there, and SaladCloud's container gateway comes by IPv6", cure)];
  return [
    config.HOST === '::'
      ? warning('not there: the server is reached by IPv4 alone', cure)
      : ok('not there, and not asked for'),
  ];
}

export async function checkSalad({ config }: Patient): Promise<Found[]> {
  if (!isOnSalad(config)) return [];
  const { SALAD_METADATA_URI: uri } = config;
  const imds = new Imds({ uri });
  try {
    const { ready, started } = await imds.status();
    return [ok(`the metadata service answers (started: ${started}, ready: ${ready})`)];
  } catch (error) {
    return [
      problem(
        `the metadata service does not answer: ${firstLine(messageOf(error))}`,
        `curl -sS ${uri}/v1/status   # elsewhere than on SaladCloud: unset SALAD_MACHINE_ID SALAD_CONTAINER_GROUP_ID`,
      ),
    ];
  } finally {
    await imds.close();
  }
}

/** What is told of an address of a queue or a storage. */
export function foundAt(
  { outcome, address }: Reached,
  what: string,
  { option, start }: { readonly option: string; readonly start: string },
): Found {
  if (outcome === 'answers') return ok(`${what}: ${address} answers`);
  const words =
    outcome === 'nothing' ? 'nothing answers at' : 'another program, or none that works, takes connections at';
  return problem(`${what}: ${words} ${address} (${option})`, start);
}

/** Whether something listens where the queue of jobs is. */
export async function checkQueue({ config, machine }: Patient): Promise<Found[]> {
  const { JOB_SOURCE, NATS_URL, REDIS_URL, KELPIE_API_URL, JOB_RESULTS_QUEUE } = config;
  const look = async (option: string, url: string, start: string): Promise<Found> =>
    foundAt(await reach(url), `JOB_SOURCE=${JOB_SOURCE}`, { option, start });
  switch (JOB_SOURCE) {
    case 'none':
      return [];
    case 'nats':
      return [
        await look(
          'NATS_URL',
          NATS_URL.split(',')[0] ?? '',
          'nats-server -js   # or export NATS_URL=nats://<host>:4222',
        ),
      ];
    case 'redis':
      return [await look('REDIS_URL', REDIS_URL, 'redis-server   # or export REDIS_URL=redis://<host>:6379')];
    case 'kelpie':
      return [await look('KELPIE_API_URL', KELPIE_API_URL, 'unset KELPIE_API_URL')];
    case 'sqs': {
      if (JOB_RESULTS_QUEUE === '')
        return [problem('JOB_SOURCE=sqs: JOB_RESULTS_QUEUE is not set', 'export JOB_RESULTS_QUEUE=<name or URL>')];
      const isUrl = /^https?:/.test(config.JOB_QUEUE);
      if (isUrl)
        return [
          await look(
            'JOB_QUEUE',
            config.JOB_QUEUE,
            `curl -sS ${new URL(config.JOB_QUEUE).origin}   # or export JOB_QUEUE=<name or URL>`,
          ),
        ];
      return machine.isSet('AWS_REGION') || machine.isSet('AWS_PROFILE') || machine.isSet('AWS_ENDPOINT_URL_SQS')
        ? [ok(`JOB_SOURCE=sqs: ${config.JOB_QUEUE} and its results queue are named`)]
        : [warning('JOB_SOURCE=sqs: no region is set', 'export AWS_REGION=us-east-1')];
    }
  }
}
