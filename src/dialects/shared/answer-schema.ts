import { z } from 'zod';
import { once } from '../../once.ts';
import { number, text } from './body-schema.ts';

/** What the schemas of answers are made of. */

export const count = number({ min: 0, integer: true });

/** A number of milliseconds or a timestamp: whole. */
export const whole = number({ integer: true });

/** A vector. */
export const numbers = z.array(z.number());

/** An object that may have anything. */
export const anything = z.record(z.string(), z.unknown());

/** The tokens of a request for vectors or scores. */
export const INPUT_USAGE = once(() =>
  z
    .object({ prompt_tokens: count, total_tokens: count, completion_tokens: count.optional() })
    .meta({ id: 'InputUsage' }),
);

/** A label of a classifier. */
export const LABEL_SCORE = once(() => z.object({ label: text, score: z.number() }).meta({ id: 'LabelScore' }));
