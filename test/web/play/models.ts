import type { ModelAbout, PickedFile } from '../../../web/play/types.ts';

/** Models as `GET /predict/<model>` tells of them. */

export function modelOf(task: string, more: Partial<ModelAbout> = {}): ModelAbout {
  return { name: 'm', version: '1', task, loaded: true, ...more };
}

export function pickedFile(name: string, type: string): PickedFile {
  return { name, type, size: 4 };
}

/** The tasks that the playground has a form for, and their example. */
export const TASKS: readonly ModelAbout[] = [
  modelOf('tensors', {
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2], batch_axis: 0 }],
    example: { data: [1, 2] },
  }),
  modelOf('tensors', { name: 'm', example: { file: 'predict/m/example', contentType: 'image/png', name: 'cat.png' } }),
  modelOf('text-classification', { example: { data: 'Wo ist der Bahnhof?', parameters: { top_k: 2 } } }),
  modelOf('token-classification'),
  modelOf('question-answering'),
  modelOf('fill-mask'),
  modelOf('embeddings'),
  modelOf('reranking'),
  modelOf('chat'),
  modelOf('transcription', { example: { file: 'predict/m/example', contentType: 'audio/wav', name: 'a.wav' } }),
  modelOf('audio-classification'),
  modelOf('audio-feature-extraction'),
  modelOf('zero-shot-audio-classification'),
  modelOf('translation'),
  modelOf('summarization'),
  modelOf('text2text-generation'),
  modelOf('text-to-speech'),
  modelOf('text-to-image', { example: { data: { prompt: 'a handwritten three' }, parameters: { seed: 7 } } }),
  modelOf('image-to-image', { example: { file: 'predict/m/example', contentType: 'image/png', name: 'cat.png' } }),
  modelOf('image-classification'),
  modelOf('image-feature-extraction'),
  modelOf('zero-shot-image-classification'),
  modelOf('object-detection'),
  modelOf('image-segmentation'),
  modelOf('depth-estimation'),
  modelOf('background-removal'),
];
