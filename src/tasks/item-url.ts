import { ServerError } from '../errors.ts';
import type { Item } from './task.ts';

/** The member of an item that holds its bytes as text, by task; such an item may name a place instead. */
const MEMBERS: Readonly<Record<string, string>> = {
  'image-classification': 'image',
  'image-feature-extraction': 'image',
  'object-detection': 'image',
  'image-segmentation': 'image',
  'depth-estimation': 'image',
  'background-removal': 'image',
  'zero-shot-image-classification': 'image',
  'image-to-image': 'image',
  'audio-classification': 'audio',
  'audio-feature-extraction': 'audio',
  'zero-shot-audio-classification': 'audio',
  transcription: 'audio',
};

const URL_TEXT = /^(https?|s3|file):\/\//i;

/** Whether items of a task may name a place. */
export function mayNameUrl(task: string): boolean {
  return Object.hasOwn(MEMBERS, task);
}

/** The URL that an item of a task gives in place of its bytes, or undefined. Tasks themselves fetch nothing. */
export function urlOf(item: Item, task: string): string | undefined {
  const member = MEMBERS[task];
  if (item.kind === 'raw' || member === undefined) return undefined;
  const text = memberOf(item.value, member);
  return typeof text === 'string' && URL_TEXT.test(text) ? text : undefined;
}

/** An item's value, or the member in it. */
export function memberOf(value: unknown, member: string): unknown {
  const isObject = typeof value === 'object' && value !== null && Object.hasOwn(value, member);
  return isObject ? (value as Readonly<Record<string, unknown>>)[member] : value;
}

/** Throws INVALID_INPUT for a URL, which should have been fetched by now. */
export function refuseUrl(text: string): void {
  if (!URL_TEXT.test(text)) return;
  const why = 'INPUT_URLS, STORAGE_PLACES';
  throw new ServerError('INVALID_INPUT', `Inputs are not fetched from URLs here (${why}); send the bytes.`);
}
