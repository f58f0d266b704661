import { listenProblem, type PortOption } from '../http/listen-problem.ts';
import { tryToListen } from '../http/listen.ts';
import { isSocketTo } from './reach.ts';
import { messageOf } from '../errors.ts';
import { isOnSalad } from '../salad/node.ts';
import { Imds } from '../salad/imds.ts';
import { ok, problem, warning, type Found, type Patient } from './finding.ts';
import { firstLine } from './runtime.ts';

/** Ports, IPv6 and SaladCloud's metadata service. */

export async function checkPorts({ config }: Patient): Promise<Found[]> {
  const options: PortOption[] = config.PROBE_PORT > 0 ? ['PORT', 'PROBE_PORT'] : ['PORT'];
  const found: Found[] = [];
  for (const option of options) {
    const port = config[option];
    try {
      await tryToListen({ host: config.HOST, port });
      found.push(ok(port === 0 ? `${option}=0: a free one is taken` : `${option}=${port} is free`));
    } catch (error) {
      found.push(problem(listenProblem(config, error, option), cureOfPort(option, error, port)));
    }
  }
  return found;
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

/** Whether something listens where the queue of jobs is. */
export async function checkQueue({ config, machine }: Patient): Promise<Found[]> {
  const { JOB_SOURCE, NATS_URL, REDIS_URL, KELPIE_API_URL, JOB_RESULTS_QUEUE } = config;
  const reach = async (option: string, url: string, start: string): Promise<Found[]> => {
    const { isThere, address } = await isSocketTo(url);
    return [
      isThere
        ? ok(`JOB_SOURCE=${JOB_SOURCE}: ${address} takes connections`)
        : problem(`JOB_SOURCE=${JOB_SOURCE}: nothing answers at ${address} (${option})`, start),
    ];
  };
  switch (JOB_SOURCE) {
    case 'none':
      return [];
    case 'nats':
      return reach(
        'NATS_URL',
        NATS_URL.split(',')[0] ?? '',
        'nats-server -js   # or export NATS_URL=nats://<host>:4222',
      );
    case 'redis':
      return reach('REDIS_URL', REDIS_URL, 'redis-server   # or export REDIS_URL=redis://<host>:6379');
    case 'kelpie':
      return reach('KELPIE_API_URL', KELPIE_API_URL, 'unset KELPIE_API_URL');
    case 'sqs': {
      if (JOB_RESULTS_QUEUE === '')
        return [problem('JOB_SOURCE=sqs: JOB_RESULTS_QUEUE is not set', 'export JOB_RESULTS_QUEUE=<name or URL>')];
      const isUrl = /^https?:/.test(config.JOB_QUEUE);
      return isUrl ||
        machine.isSet('AWS_REGION') ||
        machine.isSet('AWS_PROFILE') ||
        machine.isSet('AWS_ENDPOINT_URL_SQS')
        ? [ok(`JOB_SOURCE=sqs: ${config.JOB_QUEUE} and its results queue are named`)]
        : [warning('JOB_SOURCE=sqs: no region is set', 'export AWS_REGION=us-east-1')];
    }
  }
}
