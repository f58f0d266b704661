import { messageOf } from '../errors.ts';

/** An absolute path in a text, POSIX or Windows, of at least two parts. Not the path of a URL. */
const ABSOLUTE_PATH =
  /(?<![\w:/.\\-])(?:file:\/\/)?(?:[A-Za-z]:[\\/]|\/)(?:[^\s/\\'"`:,;()<>]+[\\/])+([^\s/\\'"`:,;()<>]*)/g;

/**
 * Why something failed, in one line that clients may read: paths below `root` become relative to it, and other absolute
 * paths are cut to their last part.
 */
export function publicReason(error: unknown, root: string | undefined): string {
  const text = messageOf(error);
  const relative = root === undefined ? text : text.replaceAll(`${root}/`, '').replaceAll(`${root}\\`, '');
  return relative.replace(ABSOLUTE_PATH, '$1').replace(/\s+/g, ' ').trim();
}
