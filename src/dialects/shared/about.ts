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
  /** Content types of answers besides streams; default: JSON. */
  readonly answerTypes?: readonly string[];
  /** The schema of its answer in JSON. It stands beside the code that writes the answer, and is made when the document is asked for (`once`): no answer needs it. */
  readonly answer?: Schema;
  /** Its answer may be server-sent events: the schema of the JSON in each. */
  readonly events?: Schema;
  /** Its answer may be lines of JSON: the schema of each. */
  readonly lines?: Schema;
  /** A body that works with a model that fits, whose name is put in. */
  readonly example?: Readonly<Record<string, unknown>>;
}

/** Gives a schema, the same one each time. */
type Schema = () => z.ZodType;

export const JSON_TYPE = 'application/json';
export const FORM_TYPE = 'multipart/form-data';
export const EVENTS_TYPE = 'text/event-stream';
export const LINES_TYPE = 'application/x-ndjson';
/** The item itself, of whatever type the model takes. */
export const ANY_TYPE = '*/*';
