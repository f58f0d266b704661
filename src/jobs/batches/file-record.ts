import { z } from 'zod';
import type { Change } from '../local/database.ts';

/** `batch`: requests that a client has sent. `batch_output`: results or errors of a batch. */
export type FilePurpose = 'batch' | 'batch_output';

/** What is known of a file beside its bytes. Times are of the wall clock. */
const RECORD = z.object({
  id: z.string(),
  name: z.string(),
  /** Name of the API key that it came with. */
  owner: z.string().nullable().default(null),
  bytes: z.int(),
  purpose: z.enum(['batch', 'batch_output']),
  createdMs: z.number(),
  /** It is forgotten then. */
  expiresMs: z.number(),
  /** Deleted, but its bytes stay until the batch that needs them has ended. */
  isDeleted: z.boolean(),
});

export type FileRecord = Readonly<z.infer<typeof RECORD>>;

export const FILE_PREFIX = 'file/';

/** A record as it is stored. Throws an Error on anything else. */
export function readFileRecord(bytes: Uint8Array): FileRecord {
  return RECORD.parse(JSON.parse(Buffer.from(bytes).toString()));
}

export function putFile(record: FileRecord): Change {
  return { type: 'put', key: FILE_PREFIX + record.id, value: Buffer.from(JSON.stringify(record)) };
}
