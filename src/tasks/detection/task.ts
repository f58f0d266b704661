import { z } from 'zod';
import { shortFloat32 } from '../../tensors/float-text.ts';
import type { Outputs, Prepared, Reply, Task, TaskSource } from '../task.ts';
import { floatsOf, imageOptions, isFloat, openImageModel, preprocessingOf } from '../image/image-model.ts';
import { IMAGE_TYPES } from '../image/input.ts';
import type { Frame } from '../image/placing.ts';
import { readPreprocessing, type Preprocessing } from '../image/preprocessing.ts';
import { readJsonObject } from '../text/json-file.ts';
import { readOptions } from '../options.ts';
import { readParameters } from '../parameters.ts';
import { best, inImage, suppressed, type Box } from './boxes.ts';
import { sigmoidBoxes, softmaxBoxes, yoloBoxes, yoloForm } from './heads.ts';

/** An image in, boxes around objects out: `[{"label": "cat", "score": 0.98, "box": {"xmin", "ymin", "xmax", "ymax"}}, ...]`, best first. */

const share = z.number().min(0).max(1);

const parameters = z.strictObject({ threshold: share.optional() });

const options = z.strictObject({
  ...imageOptions,
  /** Least score of a box if the request does not say. */
  threshold: share.default(0.5),
  /** `softmax` (DETR, YOLOS), `sigmoid` (RT-DETR, D-FINE) or `yolo`; default: by the outputs and config.json. */
  head: z.enum(['softmax', 'sigmoid', 'yolo']).optional(),
  /** YOLO: of boxes of one class that overlap by more (intersection over union), the likeliest stays. */
  overlap: share.default(0.45),
  /** Most boxes of a reply. */
  maxBoxes: z.number().int().min(1).max(1000).default(300),
});

type Options = z.output<typeof options>;

/** Models whose classes have probabilities of their own. */
const SIGMOID = /^(rt_detr|rtdetr|d_fine|dfine|deim|deformable_detr|conditional_detr|dab[-_]detr|rf[-_]detr|lw_detr)/;
/** Before suppression: more boxes than any picture has, and few enough to be compared with each other in some milliseconds. */
const MOST_CANDIDATES = 3000;

interface Memo {
  readonly frame: Frame;
  readonly threshold: number;
}

/** Finds the boxes of one image, in pixels of the model's input. */
type Head = (outputs: Outputs, memo: Memo) => Box[];

/** Builds the task. Throws a plain Error that says what is wrong with the model or its configs. */
export async function createObjectDetectionTask(source: TaskSource): Promise<Task> {
  const own = readOptions(source, options);
  const kind = own.head ?? (await headOf(source));
  const head = kind === 'yolo' ? yoloHead(source, own) : detrHead(source, { kind, own });
  const model = openImageModel(source, await preprocessing(source, { kind, own }), own);
  const labelOf = (classId: number): string => source.labels?.[classId] ?? String(classId);
  return {
    rawTypes: IMAGE_TYPES,
    isLight: () => false,
    prepare: async (item): Promise<Prepared> => {
      const { threshold = own.threshold } = readParameters(item, parameters);
      const { inputs, frame } = await model.read(item);
      return { inputs, memo: { frame, threshold } satisfies Memo, cost: 1 };
    },
    example: model.example,
    isLightReply: () => false,
    finish: (outputs, memo): Reply => {
      const { frame } = memo as Memo;
      return { json: head(outputs, memo as Memo).map((box) => told(inImage(box, frame), labelOf)) };
    },
  };
}

/** Corners in whole pixels, as transformers' pipeline cuts them. */
function told({ score, classId, left, top, right, bottom }: Box, labelOf: (classId: number) => string): unknown {
  const [xmin, ymin, xmax, ymax] = [left, top, right, bottom].map(Math.floor);
  return { score: shortFloat32(score), label: labelOf(classId), box: { xmin, ymin, xmax, ymax } };
}

async function headOf({ signature: { outputs }, files }: TaskSource): Promise<NonNullable<Options['head']>> {
  if (!outputs.some(({ name }) => name === 'pred_boxes')) return 'yolo';
  const { model_type: type } = await readJsonObject(files['config'], 'config.json');
  return SIGMOID.test(String(type)) ? 'sigmoid' : 'softmax';
}

function detrHead(
  { signature: { outputs } }: TaskSource,
  { kind, own }: { readonly kind: 'softmax' | 'sigmoid'; readonly own: Options },
): Head {
  for (const name of ['logits', 'pred_boxes'])
    if (!outputs.some((spec) => spec.name === name && isFloat(spec)))
      throw new Error(`object-detection needs a float output ${name}, or the head of a YOLO`);
  const boxesOf = kind === 'sigmoid' ? sigmoidBoxes : softmaxBoxes;
  return (found, { frame, threshold }) => {
    const [logits, boxes] = [floatsOf(found, 'logits'), floatsOf(found, 'pred_boxes')];
    return best(boxesOf(logits, boxes, { threshold, input: frame.input }), own.maxBoxes);
  };
}

function yoloHead({ signature: { outputs }, labels }: TaskSource, { overlap, maxBoxes }: Options): Head {
  const [output] = outputs;
  if (output === undefined || !isFloat(output) || yoloForm(output.shape, labels?.length) === undefined)
    throw new Error(
      `object-detection needs outputs logits and pred_boxes, or the head of a YOLO for its ${labels?.length ?? 0} labels ([1, 4 + labels, places] or [1, places, 5 + labels])`,
    );
  return (found, { threshold }) => {
    const values = floatsOf(found, output.name);
    const form = yoloForm(values.shape, labels?.length) ?? 'v8';
    const boxes = best(yoloBoxes(values, form, threshold), MOST_CANDIDATES);
    return form === 'end' ? best(boxes, maxBoxes) : suppressed(boxes, { limit: overlap, most: maxBoxes });
  };
}

/** Of preprocessor_config.json; a YOLO without one gets the image as large as fits, on grey, as Ultralytics does. */
async function preprocessing(
  source: TaskSource,
  { kind, own }: { readonly kind: string; readonly own: Options },
): Promise<Preprocessing> {
  const isTold = source.files['preprocessorConfig'] !== undefined || Object.keys(own.preprocessing).length > 0;
  if (kind !== 'yolo' || isTold) return preprocessingOf(source, own.preprocessing);
  const input = source.signature.inputs.find(({ shape }) => shape.length === 4);
  const [height = -1, width = -1] = (own.layout === 'nhwc' ? input?.shape.slice(1, 3) : input?.shape.slice(2, 4)) ?? [];
  const to = { height: height === -1 ? USUAL_SIDE : height, width: width === -1 ? USUAL_SIDE : width };
  const plain = readPreprocessing({ size: { max_height: to.height, max_width: to.width }, do_normalize: false });
  return { ...plain, padding: { to, value: GREY, isCentred: true } };
}

const USUAL_SIDE = 640;
const GREY = 114 / 255;
