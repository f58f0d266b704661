import { isAbsolute } from 'node:path';
import type { ChooseProgram, CreateTask, ProgramSpec, Task, TaskSource } from './task.ts';
import type { TextToTextName } from './text-to-text/task.ts';

/** How a built-in task is made, and which program its models need on a lane, if any. */
interface BuiltIn {
  readonly create: CreateTask;
  readonly program?: ChooseProgram;
}

/** The built-in tasks. Each module is loaded when a model needs it, because every thread that runs tasks has its own copy. */
const TASKS: Readonly<Record<string, () => Promise<BuiltIn>>> = {
  tensors: async () => ({ create: (await import('./tensors/task.ts')).createTensorsTask }),
  'text-classification': async () => {
    const task = await import('./text-features/task.ts');
    return { create: task.createTextClassificationTask, program: task.chooseTextClassificationProgram };
  },
  embeddings: async () => {
    const task = await import('./text/embeddings.ts');
    return { create: task.createEmbeddingsTask, program: task.chooseEmbeddingsProgram };
  },
  'question-answering': async () => {
    const task = await import('./text/question-answering.ts');
    return { create: task.createQuestionAnsweringTask, program: task.chooseQuestionAnsweringProgram };
  },
  'fill-mask': async () => {
    const task = await import('./text/fill-mask.ts');
    return { create: task.createFillMaskTask, program: task.chooseFillMaskProgram };
  },
  'token-classification': async () => {
    const task = await import('./text/token-classification.ts');
    return { create: task.createTokenClassificationTask, program: task.chooseTokenClassificationProgram };
  },
  reranking: async () => {
    const task = await import('./text/reranking.ts');
    return { create: task.createRerankingTask, program: task.chooseRerankingProgram };
  },
  'image-to-image': async () => ({ create: (await import('./image/image-to-image.ts')).createImageToImageTask }),
  'image-classification': async () => ({
    create: (await import('./image/image-classification.ts')).createImageClassificationTask,
  }),
  'image-feature-extraction': async () => ({
    create: (await import('./image/image-feature-extraction.ts')).createImageFeatureExtractionTask,
  }),
  'zero-shot-image-classification': async () => ({
    create: (await import('./image-text/task.ts')).createImageTextTask,
    program: (await import('./image-text/program-choice.ts')).chooseImageTextProgram,
  }),
  'audio-classification': async () => ({
    create: (await import('./audio/audio-classification.ts')).createAudioClassificationTask,
  }),
  'audio-feature-extraction': async () => ({
    create: (await import('./audio/audio-feature-extraction.ts')).createAudioFeatureExtractionTask,
  }),
  'zero-shot-audio-classification': async () => {
    const task = await import('./audio/audio-text.ts');
    return { create: task.createAudioTextTask, program: task.chooseAudioTextProgram };
  },
  'image-segmentation': async () => ({
    create: (await import('./dense/segmentation.ts')).createImageSegmentationTask,
  }),
  'depth-estimation': async () => ({ create: (await import('./dense/depth.ts')).createDepthEstimationTask }),
  'background-removal': async () => ({ create: (await import('./dense/background.ts')).createBackgroundRemovalTask }),
  'object-detection': async () => ({
    create: (await import('./detection/task.ts')).createObjectDetectionTask,
  }),
  chat: async () => ({
    create: (await import('./chat/task.ts')).createChatTask,
    program: (await import('./chat/model.ts')).chooseGeneration,
  }),
  'text2text-generation': () => textToText('text2text-generation'),
  summarization: () => textToText('summarization'),
  translation: () => textToText('translation'),
  'text-to-image': async () => ({
    create: (await import('./text-to-image/task.ts')).createTextToImageTask,
    program: (await import('./text-to-image/pipeline.ts')).chooseDiffusion,
  }),
  'text-to-speech': async () => ({ create: (await import('./text-to-speech/task.ts')).createTextToSpeechTask }),
  transcription: () =>
    Promise.resolve({
      create: async (source) =>
        isCtc(source)
          ? (await import('./transcription/ctc/task.ts')).createCtcTask(source)
          : (await import('./transcription/task.ts')).createTranscriptionTask(source),
      program: async (source) =>
        isCtc(source)
          ? (await import('./transcription/ctc/model-files.ts')).chooseCtcProgram(source)
          : (await import('./transcription/model-files.ts')).chooseSpeechProgram(source),
    }),
};

async function textToText(name: TextToTextName): Promise<BuiltIn> {
  return {
    create: (await import('./text-to-text/task.ts')).createTextToTextTask(name),
    program: (await import('./text-to-text/model-files.ts')).chooseTextToTextProgram,
  };
}

/** The task of a model: a built-in one by name, or the user's own by the absolute path of its module. Throws a plain Error that says what is wrong. */
export async function createTask(source: TaskSource): Promise<Task> {
  if (isAbsolute(source.task)) return (await import('./custom/task.ts')).createCustomTask(source);
  return (await builtIn(source.task)).create(source);
}

/** The program that a model's task needs on its lanes; undefined: rows are stacked and the graph is run once. Throws as `createTask`. */
export async function chooseProgram(source: Omit<TaskSource, 'signature'>): Promise<ProgramSpec | undefined> {
  return isAbsolute(source.task) ? undefined : (await builtIn(source.task)).program?.(source);
}

/** A model with a CTC head has a vocabulary of letters and no decoder. */
function isCtc({ files }: Pick<TaskSource, 'files'>): boolean {
  return files['decoder'] === undefined && files['vocabulary'] !== undefined;
}

function builtIn(name: string): Promise<BuiltIn> {
  const load = Object.hasOwn(TASKS, name) ? TASKS[name] : undefined;
  if (load === undefined) throw new Error(`unknown task "${name}"; there are ${Object.keys(TASKS).join(', ')}`);
  return load();
}
