import { completionPlay } from './forms/chat.ts';
import {
  backgroundPlay,
  depthPlay,
  detectionPlay,
  drawingPlay,
  imageClassificationPlay,
  imageToImagePlay,
  segmentationPlay,
  zeroShotImagePlay,
} from './forms/images.ts';
import { audioClassificationPlay, speakingPlay, transcriptionPlay, zeroShotAudioPlay } from './forms/speech.ts';
import { filePlay, tensorsPlay } from './forms/tensors.ts';
import { rewritingPlay } from './forms/rewriting.ts';
import { classificationPlays, fillMaskPlay, questionPlay, rawPlay, tokensPlay } from './forms/text.ts';
import {
  embeddingsPlay,
  imageVectorsPlay,
  mixedVectorsPlay,
  rerankPlay,
  soundsAndTextsPlay,
  soundVectorsPlay,
} from './forms/vectors.ts';
import type { ModelAbout, Play } from './types.ts';

/** What can be done with a model, by its task; the first is shown at once. JSON is always among it. A chat has a view of its own beside these. */
export function playsOf(model: ModelAbout): Play[] {
  const make = Object.hasOwn(BY_TASK, model.task) ? BY_TASK[model.task] : undefined;
  return [...(make?.(model) ?? []), rawPlay(model)];
}

const BY_TASK: Readonly<Record<string, (model: ModelAbout) => Play[]>> = {
  tensors: (model) => [filePlay(model), tensorsPlay(model)].filter((play) => play !== undefined),
  'text-classification': classificationPlays,
  'token-classification': (model) => [tokensPlay(model)],
  'question-answering': (model) => [questionPlay(model)],
  'fill-mask': (model) => [fillMaskPlay(model)],
  embeddings: (model) => [embeddingsPlay(model)],
  reranking: (model) => [rerankPlay(model)],
  translation: (model) => [rewritingPlay(model)],
  summarization: (model) => [rewritingPlay(model)],
  'text2text-generation': (model) => [rewritingPlay(model)],
  chat: (model) => [completionPlay(model)],
  transcription: (model) => [transcriptionPlay(model)],
  'audio-classification': (model) => [audioClassificationPlay(model)],
  'audio-feature-extraction': (model) => [soundVectorsPlay(model)],
  'zero-shot-audio-classification': (model) => [zeroShotAudioPlay(model), soundsAndTextsPlay(model)],
  'text-to-speech': (model) => [speakingPlay(model)],
  'text-to-image': (model) => [drawingPlay(model)],
  'image-to-image': (model) => [imageToImagePlay(model)],
  'image-classification': (model) => [imageClassificationPlay(model)],
  'image-feature-extraction': (model) => [imageVectorsPlay(model)],
  'zero-shot-image-classification': (model) => [zeroShotImagePlay(model), mixedVectorsPlay(model)],
  'object-detection': (model) => [detectionPlay(model)],
  'image-segmentation': (model) => [segmentationPlay(model)],
  'depth-estimation': (model) => [depthPlay(model)],
  'background-removal': (model) => [backgroundPlay(model)],
};
