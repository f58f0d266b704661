import { SQS, type SQSClientConfig } from '@aws-sdk/client-sqs';
import '../../no-sdk-warning.ts';
import type { Cure, QueueServer } from '../unreachable.ts';

const CONNECT_LIMIT_MS = 3000;
const MOST_SOCKETS = 128;

const servers = new WeakMap<SQS, QueueServer>();
const KEYS =
  'Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), AWS_PROFILE, or the role of this machine.';
/** Against what SQS and its SDK refuse with. */
export const CURES: readonly Cure[] = [
  [
    /NonExistentQueue|QueueDoesNotExist/,
    'Make it (aws sqs create-queue), or check its name, AWS_REGION and the account.',
  ],
  [/AccessDenied|not authorized/i, 'Give the keys or the role the permissions that docs/jobs.md lists.'],
  [/InvalidClientTokenId|SignatureDoesNotMatch|ExpiredToken|UnrecognizedClient|CredentialsProvider|credentials/i, KEYS],
  [/Region is missing/, 'Set AWS_REGION, or let JOB_QUEUE be the URL of the queue.'],
];
const CURE = 'Start an SQS server there, or name the one that runs; leave it out for Amazon.';
const AMAZON = {
  option: 'AWS_REGION',
  cure: 'Let the region be reached from here; if the queue is not at Amazon, AWS_ENDPOINT_URL_SQS names its server.',
};

/** What every call is given. */
export interface CallOptions {
  readonly abortSignal: AbortSignal;
}

/**
 * A client for all queues that are used beside `queue` (its name or URL). It asks AWS_ENDPOINT_URL_SQS, or else the endpoint of the region: that in the URL, or
 * the SDK's own (AWS_REGION, profiles). A URL that is not of AWS is an endpoint itself, for ElasticMQ and the like.
 */
export function clientFor(queue: string): SQS {
  const agent = { maxSockets: MOST_SOCKETS };
  const place = placeOf(queue);
  const sqs = new SQS({
    ...place,
    // Queues have the public host in their URL, also where the endpoint is private.
    useQueueUrlAsEndpoint: false,
    requestHandler: { connectionTimeout: CONNECT_LIMIT_MS, httpAgent: agent, httpsAgent: agent },
  });
  noteServers(sqs, place.endpoint === undefined ? 'AWS_ENDPOINT_URL_SQS' : 'JOB_QUEUE');
  return sqs;
}

/** What a client has last sent a call to, and the option that says so; undefined before the first call, which wants a region and credentials. */
export function serverOf(sqs: SQS): QueueServer | undefined {
  return servers.get(sqs);
}

/** The SDK itself tells its endpoint only where it was given one. */
function noteServers(sqs: SQS, custom: string): void {
  sqs.middlewareStack.add(
    (next) => (args) => {
      const { protocol, hostname, port } = args.request as Readonly<Record<string, string | number | undefined>>;
      const server = isAmazon(String(hostname)) ? AMAZON : { option: custom, cure: CURE };
      servers.set(sqs, {
        ...server,
        cures: CURES,
        address: `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`,
      });
      return next(args);
    },
    { step: 'finalizeRequest', priority: 'low' },
  );
}

function isAmazon(host: string): boolean {
  return /\.amazonaws\.com(\.cn)?$/.test(host);
}

export function isUrl(queue: string): boolean {
  return /^https?:\/\//.test(queue);
}

function placeOf(queue: string): Pick<SQSClientConfig, 'endpoint' | 'region'> {
  if (!isUrl(queue)) return {};
  const { host, origin } = new URL(queue);
  const region = /^sqs\.([a-z\d-]+)\.amazonaws\.com(\.cn)?$/.exec(host)?.[1];
  return region === undefined ? { endpoint: origin } : { region };
}

/**
 * The answer of a call, or an error when the time is up, whatever the call is stuck in (credentials, a connection, a wait before another try). Calls to
 * SQS have been seen to hang for minutes, for longer than a lease.
 */
export function within<Value>(limitMs: number, call: (options: CallOptions) => Promise<Value>): Promise<Value> {
  const abort = new AbortController();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`SQS has not answered within ${limitMs} ms`));
      abort.abort();
    }, limitMs);
    call({ abortSignal: abort.signal })
      .finally(() => clearTimeout(timer))
      .then(resolve, reject);
  });
}
