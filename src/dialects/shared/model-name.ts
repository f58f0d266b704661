/** A meaning of the name by which a client asks for a model. */
export interface ModelReading {
  readonly name: string;
  /** Undefined: the current one. */
  readonly version?: string;
}

/** No model has a longer name. */
const MOST_CHARACTERS = 1000;

/** A name for a message or another thread: one that no model can have is cut, so that it still is such a one. */
export function shortName(name: string): string {
  return name.slice(0, MOST_CHARACTERS + 1);
}

/** The readings of a name, the likeliest first: as it is, as `name:version`, and both without the owner that hubs put before it. */
export function readModelName(name: string): ModelReading[] {
  if (name.length > MOST_CHARACTERS) return [{ name: shortName(name) }];
  const last = name.slice(name.lastIndexOf('/') + 1);
  const names = last === name ? [name] : [name, last];
  return names.flatMap((one) => {
    const [, plain, version] = /^(.+):(\d{1,9})$/.exec(one) ?? [];
    return plain === undefined || version === undefined ? [{ name: one }] : [{ name: one }, { name: plain, version }];
  });
}

/** Names that clients send because they have to send one: huggingface_hub's `tgi`, LangChain's `dummy`, that of TEI's examples, the address of the server. */
const PLACEHOLDERS: ReadonlySet<string> = new Set(['default', 'dummy', 'text-embeddings-inference', 'tgi']);

/** Whether a name says only that the client does not care. */
export function isPlaceholder(name: string): boolean {
  return PLACEHOLDERS.has(name) || /^https?:\/\//.test(name);
}
