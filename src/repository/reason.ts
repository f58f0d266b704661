import { messageOf } from '../errors.ts';
/** A path in a text, with what stands before it: absolute, POSIX or Windows, of two parts or more. Not the path of a URL. */
const ABSOLUTE_PATH =
  /(?<![\w:/.\\-])(?:file:\/\/)?(?:[A-Za-z]:[\\/]|\/)(?:[^\s/\\'"`:,;()<>]+[\\/])+([^\s/\\'"`:,;()<>]*)/g;

/**
 * Why something failed, in one line that clients may read: paths below `root` become relative to it, of other absolute
 * paths only the last part stays.
 */
export function publicReason(error: unknown, root: string | undefined): string {
  const text = messageOf(error);
  const relative = root === undefined ? text : text.replaceAll(`${root}/`, '').replaceAll(`${root}\\`, '');
  return relative.replace(ABSOLUTE_PATH, '$1').replace(/\s+/g, ' ').trim();
}
