import process from 'node:process';
import { openStorage } from '../../dist/src/storage/open.js';

/** JOB_MAP of the transcription pipeline: its messages as jobs, and their results as reports, each stored in a bucket before its message is taken off the queue. */

const { REPORTS, SPEECH_MODEL = 'transcription', AWS_ENDPOINT_URL_S3 = '' } = process.env;
if (REPORTS === undefined) throw new Error('REPORTS must name where reports go, e.g. s3://bucket/reports/');

const LONGEST_SECONDS = 48_000;
const SHORTEST_LIMIT_MS = 600_000;
/** With room for the tries of the storage; JOB_MAP_TIMEOUT_MS must be longer. */
const STORE_LIMIT_MS = 240_000;

const storage = openStorage({ AWS_ENDPOINT_URL_S3, S3_ADDRESSING: 'auto' });

/** A message `{"vid", "video_url", "duration", "asset"}`, with the duration in seconds. */
export function toJob({ vid, video_url, duration, asset }) {
  if (!Number.isInteger(vid)) throw new Error('vid must be a number');
  if (typeof video_url !== 'string') throw new Error('video_url must be a URL');
  if (!(duration >= 1 && duration <= LONGEST_SECONDS)) throw new Error(`duration must be 1 to ${LONGEST_SECONDS} s`);
  if (typeof asset !== 'string' || !/^[\w-][\w.-]*$/.test(asset)) throw new Error('asset must be the name of a file');
  return {
    custom_id: String(vid),
    url: `/predict/${SPEECH_MODEL}`,
    body: { data: { audio: video_url } },
    // A node slower than speech gives the job up.
    timeout_ms: Math.max(SHORTEST_LIMIT_MS, Math.round(duration * 1000)),
  };
}

/** The report of a job, stored as `<REPORTS><asset>`. */
export async function toReport(result, message) {
  const report = reportOf(result, message);
  const bytes = new TextEncoder().encode(JSON.stringify(report));
  const signal = AbortSignal.timeout(STORE_LIMIT_MS);
  await storage.write(`${REPORTS}${message.asset}`, bytes, { signal, contentType: 'application/json' });
  return report;
}

/** With the keys of the original; a recording that was refused has an `error` in place of what comes of speech. */
function reportOf({ response, model, timing, node = {} }, { vid, video_url }) {
  const { status_code: status, body } = response;
  const [text, seconds] = status === 200 ? [body.result.text, body.result.duration] : [null, null];
  return {
    'audio-url': video_url,
    'audio-length': seconds,
    vid,
    'word-count': text === null ? null : text.split(/\s+/).filter(Boolean).length,
    transcript: text,
    'salad-machine-id': node.machine_id ?? null,
    'salad-container-group-id': node.container_group_id ?? null,
    'gpu-name': node.gpu ?? null,
    'model-id': model?.name ?? null,
    'processing-time': Math.round(timing.totalMs) / 1000,
    'realtime-factor': timing.realtimeFactor ?? null,
    ...(status === 200 ? {} : { error: body.error }),
  };
}
