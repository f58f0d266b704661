/**
 * Reads `name=value,name=value` with percent-encoded values, as W3C baggage and OpenTelemetry's variables have it
 * (https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables). What cannot be read is left out, and
 * told to `refuse` by its place.
 */
export function readPairs(
  text: string,
  refuse: (place: number) => void = () => undefined,
): Readonly<Record<string, string>> {
  const pairs: Record<string, string> = {};
  const entries = text.split(',').filter((entry) => entry.trim() !== '');
  for (const [index, entry] of entries.entries()) {
    const [name, value] = splitPair(entry);
    if (name === '' || value === undefined) refuse(index + 1);
    else pairs[name] = value;
  }
  return pairs;
}

function splitPair(entry: string): [name: string, value: string | undefined] {
  const at = entry.indexOf('=');
  if (at < 0) return ['', undefined];
  try {
    return [entry.slice(0, at).trim(), decodeURIComponent(entry.slice(at + 1).trim())];
  } catch {
    return ['', undefined];
  }
}
