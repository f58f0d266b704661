import type { z } from 'zod';

/** What the document of the API (`/openapi.json`) tells of an operation or a route. */
export interface About {
  /** One line. */
  readonly summary: string;
  /** The schema that its JSON body, or the fields of its form, are read by. */
  readonly body?: z.ZodType;
  /** That of a form, where it is another one. */
  readonly formBody?: z.ZodType;
  /** Content types of bodies; default: JSON. Any other than JSON and forms is the item itself. */
  readonly bodyTypes?: readonly string[];
  /** Content types of answers besides server-sent events; default: JSON. */
  readonly answerTypes?: readonly string[];
  /** A body that works with a model that fits, whose name is put in. */
  readonly example?: Readonly<Record<string, unknown>>;
}

export const JSON_TYPE = 'application/json';
export const FORM_TYPE = 'multipart/form-data';
/** The item itself, of whatever type the model takes. */
export const ANY_TYPE = '*/*';
