/** Where the code that is shown sends its request, and where it finds and leaves files. */
export interface CodeSite {
  /** Of the server, without a slash at the end. */
  readonly address: string;
  /** Whether a key is sent. */
  readonly hasKey: boolean;
  /** The file that a long body is read from; undefined: it stands in the code. */
  readonly bodyFile: string | undefined;
}
