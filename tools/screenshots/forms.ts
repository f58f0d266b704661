import path from 'node:path';
import type { Page } from 'playwright-core';
import { SHIPPED_MODELS } from '../../test/process/carpool.ts';
import { TASKS } from './models.ts';

/** Forms of the playground, each with a model: those of this repository, and the tiny ones of random weights that tests compare with Python. */

const SOUND = path.join(TASKS, 'audio/reference/sound.wav');
const SPEECH = path.join(SHIPPED_MODELS, 'transcription/sample.wav');
const PICTURE = path.join(SHIPPED_MODELS, 'super-resolution/example.png');
/** A model is loaded first, beside others. */
const LIMIT_MS = 120_000;

interface Form {
  readonly model: string;
  /** The title of the way to use the model, if it is not the first. */
  readonly tab?: string;
  readonly files?: readonly string[];
  /** What is done with the form before it is sent. */
  readonly act?: (page: Page) => Promise<unknown>;
}

const type =
  (label: string, text: string) =>
  (page: Page): Promise<void> =>
    page.getByLabel(label, { exact: true }).fill(text);

const tick =
  (label: string) =>
  (page: Page): Promise<void> =>
    page.getByLabel(label, { exact: true }).check();

/** By name of the picture. */
export const FORMS: Readonly<Record<string, Form>> = {
  'language-id': { model: 'language-id' },
  'super-resolution': { model: 'super-resolution', files: [PICTURE] },
  drawing: { model: 'super-resolution', act: drawOnBoard },
  'text-to-image': { model: 'text-to-image', act: type('Number of pictures', '3') },
  'voice-activity': { model: 'voice-activity' },
  square: { model: 'square' },
  json: { model: 'square', tab: 'JSON' },
  'text-recognition': { model: 'text-recognition', act: writeLine },
  'sentence-embedding': { model: 'sentence-embedding' },
  transcription: { model: 'transcription', files: [SPEECH] },
  'transcription-stream': { model: 'transcription', files: [SPEECH], act: tick('Stream the text') },
  ctc: { model: 'wav2vec2_ctc', files: [SOUND] },
  'audio-classification': { model: 'ast_classification', files: [SOUND] },
  clap: { model: 'clap', files: [SOUND] },
  'clap-vectors': { model: 'clap', tab: 'Compare sounds and texts', files: [SOUND, SPEECH] },
  'speaker-vectors': { model: 'wavlm_xvector', files: [SOUND, SPEECH] },
  speech: { model: 'vits', act: type('Text', 'one two three') },
  completion: { model: 'chat', tab: 'Complete', act: type('Max tokens', '24') },
  ner: { model: 'ner' },
  'fill-mask': { model: 'fill-mask' },
  'fill-mask-byte-level': { model: 'fill-mask-byte-level' },
  'zero-shot': { model: 'zero-shot', tab: 'Zero-shot' },
  'question-answering': { model: 'question-answering' },
  translation: { model: 'nllb' },
  'translation-marian': { model: 'marian' },
  'text-to-text': { model: 't5' },
  summary: { model: 'bart' },
  reranking: { model: 'reranking' },
  detection: { model: 'detr', files: [PICTURE], act: type('Min score', '0.1') },
  segmentation: { model: 'segformer', files: [PICTURE] },
  'background-removal': { model: 'remover', files: [PICTURE] },
  depth: { model: 'depth_anything', files: [PICTURE] },
  'image-classification': { model: 'resnet', files: [PICTURE] },
  'image-vectors': { model: 'dinov2', files: [PICTURE, path.join(TASKS, 'image/reference/picture.png')] },
  clip: { model: 'clip', files: [PICTURE] },
  'clip-vectors': { model: 'clip', tab: 'Compare pictures and texts', files: [PICTURE] },
};

/** Tries a form: opens it, fills it in, sends it, and waits for what comes. */
export async function tryForm(page: Page, url: string, { model, tab, files = [], act }: Form): Promise<void> {
  page.setDefaultTimeout(LIMIT_MS);
  await page.goto(`${url}/#/play/${model}`);
  await page.locator('.play-about').waitFor();
  if (tab !== undefined) await page.getByRole('button', { name: tab, exact: true }).click();
  if (files.length > 0)
    await page
      .locator('.play-file-input')
      .first()
      .setInputFiles([...files]);
  await act?.(page);
  await page.locator('.play-form button[type=submit]').click();
  await page.locator('.play-facts, .notice.bad, .play-problem').first().waitFor();
}

async function drawOnBoard(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Draw', exact: true }).click();
  await stroke(page, [
    [0.2, 0.2],
    [0.6, 0.2],
    [0.3, 0.5],
    [0.6, 0.8],
  ]);
  await page.getByRole('button', { name: 'Use the drawing' }).click();
}

/** A line of two letters as the numbers of the picture that the model reads. */
async function writeLine(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Draw', exact: true }).click();
  await stroke(page, [
    [0.05, 0.2],
    [0.05, 0.8],
    [0.12, 0.8],
  ]);
  await stroke(page, [
    [0.2, 0.2],
    [0.3, 0.2],
  ]);
  await stroke(page, [
    [0.25, 0.2],
    [0.25, 0.8],
  ]);
  await page.getByRole('button', { name: 'Use the drawing' }).click();
}

/** Draws through these points of the board, in parts of its sides. */
async function stroke(page: Page, points: readonly (readonly [number, number])[]): Promise<void> {
  const board = page.locator('.play-board');
  await board.scrollIntoViewIfNeeded();
  const box = await board.boundingBox();
  if (box === null) throw new Error('there is no board');
  for (const [index, [x, y]] of points.entries()) {
    await page.mouse.move(box.x + x * box.width, box.y + y * box.height, { steps: 5 });
    if (index === 0) await page.mouse.down();
  }
  await page.mouse.up();
}
