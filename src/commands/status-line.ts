/** A line on a terminal that is drawn over and over; elsewhere nothing is shown. */
export interface StatusLine {
  show(text: string): void;
  clear(): void;
}

export function statusLine(output: NodeJS.WriteStream): StatusLine {
  if (!output.isTTY) return { show: () => undefined, clear: () => undefined };
  return {
    show: (text) => void output.write(`\r${text.slice(0, output.columns - 1)}\u001b[K`),
    clear: () => void output.write('\r\u001b[K'),
  };
}
