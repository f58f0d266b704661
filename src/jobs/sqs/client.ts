import { SQS, type SQSClientConfig } from '@aws-sdk/client-sqs';

const CONNECT_LIMIT_MS = 3000;
const MOST_SOCKETS = 128;

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
  return new SQS({
    ...placeOf(queue),
    // Queues have the public host in their URL, also where the endpoint is private.
    useQueueUrlAsEndpoint: false,
    requestHandler: { connectionTimeout: CONNECT_LIMIT_MS, httpAgent: agent, httpsAgent: agent },
  });
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
