import { GrammarError } from './grammar-error.ts';
import type { Pattern } from './pattern.ts';
import { readRegex } from './regex.ts';

/** The formats of strings, each by a pattern of texts that it allows; rare spellings are left out (leap days, leap seconds, comments in addresses). */

const DATE =
  '[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))';
const TIME = '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])';
const BYTE = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const LABEL = '[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?';
const HOST = `${LABEL}(\\.${LABEL}){0,4}`;
const WORD = '[a-z0-9_]+';

const FORMATS: Readonly<Record<string, string>> = {
  date: DATE,
  time: TIME,
  'date-time': `${DATE}T${TIME}`,
  duration: 'P([0-9]{1,4}D(T[0-9]{1,4}[HMS])?|[0-9]{1,4}[YMW]|T[0-9]{1,4}[HMS])',
  email: `[A-Za-z0-9_+-]{1,32}(\\.[A-Za-z0-9_+-]{1,16}){0,3}@${LABEL}(\\.${LABEL}){0,2}\\.[a-z]{2,10}`,
  hostname: HOST,
  ipv4: `${BYTE}(\\.${BYTE}){3}`,
  ipv6: '([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}',
  uuid: '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}',
  uri: `https?://${HOST}(:[1-9][0-9]{0,3})?(/[A-Za-z0-9_.~-]+){0,8}/?(\\?${WORD}=${WORD}(&${WORD}=${WORD}){0,4})?`,
};

/** The texts of a format. Throws GrammarError for one that is not known. */
export function formatPattern(format: string, where: string): Pattern {
  const text = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
  if (text === undefined)
    throw new GrammarError(
      `format "${format.slice(0, 64)}" is not supported (${where}); there are ${Object.keys(FORMATS).join(', ')}`,
    );
  return readRegex(text, { whole: true });
}
