import { boolean, choice, integer, ms, text } from './option.ts';

/** Options of the checks of a node: at start, and while it serves (docs/salad.md). */
export const NODE_OPTIONS = {
  NODE_GPU: boolean(false, 'Check at start: whether there is a GPU that `nvidia-smi` can read.'),
  NODE_MIN_VRAM_MB: integer(0, [0, 10_000_000], 'Check at start: least free memory of the GPU; 0: no check.', 'MB'),
  NODE_MIN_DRIVER: text('', 'Check at start: least version of the NVIDIA driver, e.g. `550`; empty: no check.'),
  NODE_MIN_CUDA: text('', 'Check at start: least version of CUDA that the driver takes, e.g. `12.8`; empty: no check.'),
  NODE_MIN_DOWNLOAD_MBPS: integer(
    0,
    [0, 100_000],
    'Check at start: least speed from NODE_SPEED_PLACE, in million bits a second; 0: no check.',
    'Mbps',
  ),
  NODE_MIN_UPLOAD_MBPS: integer(0, [0, 100_000], 'Check at start: the same to it; 0: no check.', 'Mbps'),
  NODE_SPEED_PLACE: {
    ...text(
      '',
      "Where speed is measured: a prefix of the user's storage that ends in `/`, such as `s3://bucket/speed/`, or for downloads alone an object.",
    ),
    secret: true,
  },
  NODE_SPEED_BYTES: integer(
    25_000_000,
    [1000, 10_000_000_000],
    'Size of the object that is stored there for it.',
    'bytes',
  ),
  NODE_MAX_WARM_UP_MS: ms(0, 0, 'Check at start: longest time of loading and warming all models; 0: no check.'),
  NODE_CHECK_ATTEMPTS: integer(3, [1, 100], 'Tries of each check at start; it has failed when all have.'),
  NODE_CHECK_PAUSE_MS: ms(20_000, 0, 'Wait between two of them.'),
  NODE_CHECK_LIMIT_MS: ms(300_000, 1000, 'Time limit of all checks that come before models are loaded.'),
  NODE_UNFIT: choice(
    'auto',
    ['auto', 'reallocate', 'exit', 'serve', 'dry-run'],
    'What a node does whose checks have failed. reallocate: ask SaladCloud for another one (this one is excluded for 48 hours); exit: end with 1; serve: go on; dry-run: say what would be done, and go on. auto: reallocate on SaladCloud, exit elsewhere.',
  ),
  NODE_WINDOW_MS: ms(300_000, 1000, 'While serving: over how long a node is judged by the limits that follow.'),
  NODE_MIN_SAMPLES: integer(100, [1, 1_000_000], 'Fewer items than that in a window say nothing of speed and errors.'),
  NODE_MIN_ITEMS_PER_SECOND: integer(
    0,
    [0, 1_000_000],
    'A node that serves fewer in the time that its lanes run, in two windows in a row, is not fit (NODE_UNFIT); 0: no limit.',
  ),
  NODE_LOW_ITEMS_PER_SECOND: integer(
    0,
    [0, 1_000_000],
    'Below it the queues are halved, down to a quarter; 0: no limit.',
  ),
  NODE_MIN_REALTIME_FACTOR: integer(
    0,
    [0, 100_000],
    'The same floor for speech, in seconds of audio a second; 0: no limit.',
  ),
  NODE_LOW_REALTIME_FACTOR: integer(0, [0, 100_000], 'Below it the queues are halved; 0: no limit.'),
  NODE_MAX_ERROR_PERCENT: integer(
    0,
    [0, 100],
    'A node on which more fails by faults of the server, in two windows in a row, is not fit; 0: no limit.',
    'percent',
  ),
  NODE_MAX_GPU_CELSIUS: integer(0, [0, 200], 'Above it the queues are halved; 0: no limit.', 'celsius'),
  NODE_MAX_VRAM_PERCENT: integer(
    0,
    [0, 100],
    'Above it, of memory used, the queues are halved; 0: no limit.',
    'percent',
  ),
};
