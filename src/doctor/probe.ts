// First, because it sets what must be set before ONNX Runtime's library is loaded.
import '../no-telemetry.ts';
import { PROGRESS_BYTES, type LaneData } from '../device.ts';
import { messageOf } from '../errors.ts';
import type { Probed } from './runtime.ts';

/** A program that opens a graph of one node on `cpu` or `cuda:N`, prints as JSON what came of it, and ends with 0. */

const [device = ''] = process.argv.slice(2);
if (device !== '') process.stdout.write(JSON.stringify(await tried(device)));

async function tried(name: string): Promise<Probed> {
  try {
    const { env, InferenceSession } = await import('onnxruntime-node');
    const { sessionOptions } = await import('../onnx/graph.ts');
    const { PROBE_GRAPH } = await import('../onnx/probe-graph.ts');
    const lane: LaneData = {
      device: name === 'cpu' ? { kind: 'cpu' } : { kind: 'cuda', index: Number(name.slice('cuda:'.length)) },
      intraOpThreads: 1,
      progress: new SharedArrayBuffer(PROGRESS_BYTES),
    };
    const session = await InferenceSession.create(PROBE_GRAPH, sessionOptions({}, lane));
    await session.release();
    return { version: env.versions.node ?? '' };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}
