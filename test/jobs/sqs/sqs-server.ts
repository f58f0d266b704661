import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { SQS, type Message } from '@aws-sdk/client-sqs';
import { asError } from '../../../src/errors.ts';
import { freePort } from '../../free-port.ts';
import { until } from '../../until.ts';

/** Folder with the jars of ElasticMQ's server; tools/elasticmq/pom.xml fetches them. */
const jars = process.env['CARPOOL_ELASTICMQ'];
/** Has the package moto, with its server. */
const python = process.env['CARPOOL_PYTHON'];

/** False, or why tests that need ElasticMQ are skipped. */
export const withoutElasticMq: false | string =
  jars !== undefined && existsSync(jars) ? false : 'CARPOOL_ELASTICMQ names no folder with the jars of ElasticMQ';

/** The credentials that the SDK finds, here and in child processes. */
export const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x', AWS_REGION: 'us-east-1' };
Object.assign(process.env, CREDENTIALS);

export interface QueueSettings {
  readonly fifo?: boolean;
  readonly maxReceiveCount?: number;
  readonly attributes?: Readonly<Record<string, string>>;
}

/** Begins a server that listens on a port and keeps its files in a folder. */
type Spawn = (port: number, folder: string) => Promise<ChildProcess>;

/** A server with the API of SQS on a free port of the loopback interface. Its messages are in memory. */
export class SqsServer {
  readonly url: string;
  readonly sqs: SQS;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(port: number, folder: string, child: ChildProcess) {
    this.url = `http://127.0.0.1:${port}`;
    this.sqs = new SQS({ endpoint: this.url, useQueueUrlAsEndpoint: false });
    this.#folder = folder;
    this.#process = child;
  }

  static elasticMq(): Promise<SqsServer> {
    return SqsServer.#start(async (port, folder) => {
      const config = path.join(folder, 'elasticmq.conf');
      await writeFile(config, configOf(port));
      const flags = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', `-Dconfig.file=${config}`];
      const args = [...flags, '-cp', path.join(jars ?? '', '*'), 'org.elasticmq.server.Main'];
      return spawn('java', args, { stdio: 'ignore', cwd: folder });
    });
  }

  static moto(): Promise<SqsServer> {
    return SqsServer.#start((port, folder) => {
      const args = ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)];
      return Promise.resolve(spawn(python ?? '', args, { stdio: 'ignore', cwd: folder }));
    });
  }

  static async #start(begin: Spawn): Promise<SqsServer> {
    for (let tries = 1; ; tries += 1) {
      const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-sqs-'));
      const port = await freePort();
      const server = new SqsServer(port, folder, await begin(port, folder));
      const problem = await server.#ready();
      if (problem === undefined) return server;
      await server.stop();
      // Another process may have taken the port.
      if (tries === 3) throw problem;
    }
  }

  /** Stops its process where it stands; returns how it goes on. */
  pause(): () => void {
    const child = this.#process;
    child.kill('SIGSTOP');
    return () => void child.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    this.sqs.destroy();
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill('SIGKILL');
      await once(this.#process, 'exit');
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** The URL of a new queue, with a dead-letter queue `<name>-dead` of its kind if it has a `maxReceiveCount`. */
  async create(name: string, { fifo = false, maxReceiveCount, attributes = {} }: QueueSettings = {}): Promise<string> {
    const end = fifo ? '.fifo' : '';
    const kind = fifo ? { FifoQueue: 'true' } : {};
    const redrive: Record<string, string> = {};
    if (maxReceiveCount !== undefined) {
      const { QueueUrl } = await this.sqs.createQueue({ QueueName: `${name}-dead${end}`, Attributes: kind });
      const facts = await this.sqs.getQueueAttributes({ QueueUrl, AttributeNames: ['QueueArn'] });
      redrive['RedrivePolicy'] = JSON.stringify({
        deadLetterTargetArn: facts.Attributes?.['QueueArn'],
        maxReceiveCount,
      });
    }
    const all = { ...kind, ...redrive, ...attributes };
    const { QueueUrl: url = '' } = await this.sqs.createQueue({ QueueName: `${name}${end}`, Attributes: all });
    return url;
  }

  /** Sends a message and returns its id. */
  async send(url: string, text: string, group = 'g'): Promise<string> {
    const { MessageId: id = '' } = await this.sqs.sendMessage({
      ...{ QueueUrl: url, MessageBody: text },
      ...(url.endsWith('.fifo') ? { MessageGroupId: group, MessageDeduplicationId: randomUUID() } : {}),
    });
    return id;
  }

  /** What happens to a message of a dead server when its lease has ended. */
  async endVisibility(url: string, receipt: string): Promise<void> {
    await this.sqs.changeMessageVisibility({ QueueUrl: url, ReceiptHandle: receipt, VisibilityTimeout: 0 });
  }

  /** Takes all messages that a queue has off it, with so many at least. */
  async take(url: string, fewest = 1): Promise<Message[]> {
    const taken: Message[] = [];
    return until(`${fewest} messages in ${url}`, async () => {
      const { Messages: messages = [] } = await this.sqs.receiveMessage({
        ...{ QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: taken.length < fewest ? 10 : 0 },
        MessageAttributeNames: ['All'],
        MessageSystemAttributeNames: ['All'],
      });
      const Entries = messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
      if (Entries.length > 0) await this.sqs.deleteMessageBatch({ QueueUrl: url, Entries });
      taken.push(...messages);
      return messages.length === 0 && taken.length >= fewest ? taken : undefined;
    });
  }

  /** Messages of a queue, those that are invisible included. */
  async count(url: string): Promise<number> {
    const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
    const { Attributes: counts = {} } = await this.sqs.getQueueAttributes({
      QueueUrl: url,
      AttributeNames: [...names],
    });
    return names.reduce((sum, name) => sum + Number(counts[name] ?? 0), 0);
  }

  /** Undefined when it answers; or why it does not. */
  async #ready(): Promise<Error | undefined> {
    for (const endsAt = Date.now() + 120_000; ;)
      try {
        await this.sqs.listQueues({});
        return undefined;
      } catch (error) {
        if (Date.now() > endsAt || this.#process.exitCode !== null) return asError(error);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
  }
}

function configOf(port: number): string {
  return `include classpath("application.conf")
node-address { protocol = http, host = "127.0.0.1", port = ${port}, context-path = "" }
rest-sqs { enabled = true, bind-port = ${port}, bind-hostname = "127.0.0.1", sqs-limits = strict }
rest-stats { enabled = false }
`;
}
