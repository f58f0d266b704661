/** Numbers as people read them. */

/** A number with three digits that count, and a letter for thousands. */
export function short(value: number | undefined): string {
  if (value === undefined) return '–';
  const size = Math.abs(value);
  if (size >= 999_500) return `${digits(value / 1e6)}M`;
  if (size >= 9_995) return `${digits(value / 1e3)}k`;
  return digits(value);
}

function digits(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 99.95) return Math.round(value).toLocaleString('en');
  if (size >= 9.995) return trimmed(value.toFixed(1));
  return size < 0.005 ? '0' : trimmed(value.toFixed(2));
}

function trimmed(text: string): string {
  return text.replace(/\.?0+$/, '');
}

/** A time in the unit that suits it. */
export function duration(ms: number | undefined): string {
  if (ms === undefined) return '–';
  if (ms >= 60_000) return `${digits(ms / 60_000)} min`;
  if (ms >= 999.5) return `${digits(ms / 1000)} s`;
  if (ms >= 0.95 || ms === 0) return `${digits(ms)} ms`;
  return `${Math.round(ms * 1000)} µs`;
}

/** How long something has been there, in its two largest units. */
export function upTime(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  const hours = Math.floor(minutes / 60);
  if (hours >= 24) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  if (hours >= 1) return `${hours} h ${minutes % 60} min`;
  return minutes >= 1 ? `${minutes} min` : 'less than a minute';
}

/** How long ago something was, no finer than people ask. */
export function age(ms: number): string {
  return ms < 60_000 ? `${Math.max(0, Math.round(ms / 1000))} s` : upTime(ms);
}

export function bytes(count: number): string {
  if (count >= 2 ** 30) return `${digits(count / 2 ** 30)} GiB`;
  if (count >= 2 ** 20) return `${digits(count / 2 ** 20)} MiB`;
  return count >= 1024 ? `${digits(count / 1024)} KiB` : `${count} B`;
}

export function percent(part: number): string {
  return part > 0 && part < 0.005 ? '< 1 %' : `${Math.round(part * 100)} %`;
}

/** A count with its noun. */
export function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? noun : nouns}`;
}
