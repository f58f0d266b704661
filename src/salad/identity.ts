import type { Config } from '../config/options.ts';
import { isOnSalad } from './node.ts';

/** Which node of SaladCloud a process runs on, as replies, log lines and results of jobs tell it. */
export class NodeIdentity {
  /** Of replies to inference. */
  headers: Readonly<Record<string, string>>;
  /** In results of jobs. */
  facts: Readonly<Record<string, string>>;

  constructor({ SALAD_MACHINE_ID: machineId, SALAD_CONTAINER_GROUP_ID: groupId }: SaladIds) {
    this.headers = {
      'X-Salad-Machine-ID': headerText(machineId),
      'X-Salad-Container-Group-ID': headerText(groupId),
    };
    this.facts = { machine_id: machineId, container_group_id: groupId };
  }

  /** The GPU is known only some time after the start. */
  nameGpu(name: string): void {
    this.headers = { ...this.headers, 'X-GPU-Name': headerText(name) };
    this.facts = { ...this.facts, gpu: name };
  }
}

type SaladIds = Pick<Config, 'SALAD_MACHINE_ID' | 'SALAD_CONTAINER_GROUP_ID'>;

/** Undefined elsewhere than on SaladCloud. */
export function identityOf(config: SaladIds): NodeIdentity | undefined {
  return isOnSalad(config) ? new NodeIdentity(config) : undefined;
}

/** Fields of every log line; null elsewhere than on SaladCloud. */
export function logFields(config: SaladIds): Readonly<Record<string, string>> | null {
  const { SALAD_MACHINE_ID: machineId, SALAD_CONTAINER_GROUP_ID: containerGroupId } = config;
  return isOnSalad(config) ? { machineId, containerGroupId } : null;
}

/** Node would refuse to send other characters. */
function headerText(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?');
}
