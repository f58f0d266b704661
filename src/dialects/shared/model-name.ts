/** What a client's name of a model may mean. */
export interface ModelReading {
  readonly name: string;
  /** Undefined: the current one. */
  readonly version?: string;
}

/** The readings of a name, the likeliest first: as it stands, as `name:version`, and both without an owner in front, as hubs have it. */
export function readModelName(name: string): ModelReading[] {
  const last = name.slice(name.lastIndexOf('/') + 1);
  const names = last === name ? [name] : [name, last];
  return names.flatMap((one) => {
    const [, plain, version] = /^(.+):(\d{1,9})$/.exec(one) ?? [];
    return plain === undefined || version === undefined ? [{ name: one }] : [{ name: one }, { name: plain, version }];
  });
}
