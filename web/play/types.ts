/** What the parts of the playground say to each other: a model, the form for it, the request that a form makes, and what is shown of a reply. No view, no DOM. */

/** `GET /predict/<model>`. */
export interface ModelAbout {
  readonly name: string;
  readonly version: string;
  readonly task: string;
  readonly loaded: boolean;
  readonly description?: string;
  readonly licence?: string;
  readonly labels?: readonly string[];
  readonly example?: Example;
  readonly voices?: readonly string[];
  readonly formats?: readonly string[];
  readonly languages?: readonly string[];
  readonly mask?: string;
  readonly inputs?: readonly TensorAbout[];
  readonly outputs?: readonly TensorAbout[];
}

export type Example = { readonly data: unknown; readonly parameters?: Readonly<Record<string, unknown>> } | ExampleFile;

/** `file`: its address, relative to the server's. */
export interface ExampleFile {
  readonly file: string;
  readonly contentType: string;
  readonly name: string;
}

export interface TensorAbout {
  readonly name: string;
  readonly datatype: string;
  /** Free dimensions are -1. */
  readonly shape: readonly number[];
  /** The axis that an item leaves out; null: it has none. */
  readonly batch_axis: number | null;
}

/** A file as forms know it: a browser's `File` is one. */
export interface PickedFile {
  readonly name: string;
  /** Media type; may be empty. */
  readonly type: string;
  readonly size: number;
}

interface FieldBase {
  readonly name: string;
  readonly label: string;
  readonly help?: string;
  /** Hidden until somebody asks for more. */
  readonly isMore?: boolean;
}

export interface TextField extends FieldBase {
  readonly kind: 'text';
  readonly value: string;
  /** More than one line. */
  readonly rows?: number;
  readonly placeholder?: string;
  readonly mayBeEmpty?: boolean;
}
/** Several texts, each in a box of its own. */
export interface TextsField extends FieldBase {
  readonly kind: 'texts';
  readonly value: readonly string[];
  readonly least?: number;
  /** What one of them is called. */
  readonly one: string;
}
/** Empty: the model's own. */
export interface NumberField extends FieldBase {
  readonly kind: 'number';
  readonly value: string;
  readonly min?: number;
  readonly max?: number;
  readonly step?: number;
  readonly placeholder?: string;
}
export interface ChoiceField extends FieldBase {
  readonly kind: 'choice';
  readonly value: string;
  readonly choices: readonly { readonly value: string; readonly label: string }[];
}
export interface SwitchField extends FieldBase {
  readonly kind: 'switch';
  readonly value: boolean;
}
export interface JsonField extends FieldBase {
  readonly kind: 'json';
  readonly value: string;
  readonly rows?: number;
  readonly mayBeEmpty?: boolean;
}
export interface FileField extends FieldBase {
  readonly kind: 'file';
  readonly of: 'image' | 'audio';
  /** Several files. */
  readonly isMany?: boolean;
  /** That of the model. */
  readonly example?: ExampleFile;
  readonly mayBeEmpty?: boolean;
}
/** The numbers of a tensor, written as JSON, or made of a picture. */
export interface TensorField extends FieldBase {
  readonly kind: 'tensor';
  readonly value: string;
  readonly datatype: string;
  /** Of an item: without the batch axis. Free dimensions are -1. */
  readonly shape: readonly number[];
  /** How a picture becomes its numbers, if it looks like one. */
  readonly picture?: PictureShape;
}
export interface PictureShape {
  readonly layout: 'chw' | 'hwc' | 'hw';
  readonly channels: 1 | 3;
  /** Undefined: as the picture is. */
  readonly width: number | undefined;
  readonly height: number | undefined;
}

export type Field =
  TextField | TextsField | NumberField | ChoiceField | SwitchField | JsonField | FileField | TensorField;

/** By name of the field: text and JSON as text, numbers as typed, files as a list. */
export type Values = Readonly<Record<string, Value>>;
export type Value = string | boolean | readonly string[] | readonly PickedFile[];

/** In the place of a value of a JSON body: the bytes of a file as base64, which only the sender reads. */
export class Base64Of {
  readonly file: PickedFile;

  constructor(file: PickedFile) {
    this.file = file;
  }
}

export type Part = readonly [name: string, value: string | PickedFile];

export type Body =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'form'; readonly parts: readonly Part[] }
  | { readonly kind: 'file'; readonly file: PickedFile };

/** One POST, as it is sent and as it is written in curl, Python and TypeScript. */
export interface PlayRequest {
  /** Below the server's address, e.g. `/v1/embeddings`. */
  readonly path: string;
  readonly body: Body;
  readonly accept?: string;
  /** Of an answer that is a file: what it is called. */
  readonly answerFile?: string;
  /** The answer comes as server-sent events. */
  readonly isStream?: boolean;
}

/** A whole answer of status 200. */
export interface PlayReply {
  /** Lower case, without parameters. */
  readonly type: string;
  /** Undefined if it is not JSON. */
  readonly json: unknown;
  readonly bytes: Uint8Array;
}

/** What is shown of a reply, in the order of the page. */
export type Shown =
  | { readonly kind: 'text'; readonly text: string; readonly label?: string }
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'scores'; readonly rows: readonly Score[]; readonly label?: string }
  | { readonly kind: 'marked'; readonly pieces: readonly Piece[] }
  | { readonly kind: 'ranking'; readonly rows: readonly { readonly text: string; readonly score: number }[] }
  | { readonly kind: 'matrix'; readonly names: readonly string[]; readonly values: readonly (readonly number[])[] }
  | { readonly kind: 'vector'; readonly name: string; readonly values: readonly number[] }
  | { readonly kind: 'image'; readonly bytes: Uint8Array; readonly type: string; readonly name: string }
  /** Beside or over the picture that was sent. */
  | { readonly kind: 'compared'; readonly bytes: Uint8Array; readonly type: string; readonly name: string }
  | { readonly kind: 'boxes'; readonly boxes: readonly Box[] }
  | { readonly kind: 'masks'; readonly masks: readonly { readonly label: string; readonly bytes: Uint8Array }[] }
  | { readonly kind: 'transcript'; readonly transcript: Transcript }
  | { readonly kind: 'audio'; readonly bytes: Uint8Array; readonly type: string; readonly name: string }
  | { readonly kind: 'tensor'; readonly name: string; readonly value: unknown; readonly labels: readonly string[] }
  | { readonly kind: 'json'; readonly value: unknown };

export interface Score {
  readonly label: string;
  readonly score: number;
}
/** A stretch of a text; with a label it is an entity. */
export interface Piece {
  readonly text: string;
  readonly label?: string;
  readonly score?: number;
}
export interface Box extends Score {
  readonly box: { readonly xmin: number; readonly ymin: number; readonly xmax: number; readonly ymax: number };
}
export interface Transcript {
  readonly text: string;
  readonly language?: string;
  /** Seconds. */
  readonly duration?: number;
  readonly segments: readonly { readonly start: number; readonly end: number; readonly text: string }[];
  readonly words: readonly { readonly start: number; readonly end: number; readonly word: string }[];
}

/** A way to use a model. */
export interface Play {
  readonly id: string;
  readonly title: string;
  readonly fields: readonly Field[];
  /** Of plays whose answers come piece by piece: what the pieces are. */
  readonly streams?: 'completion' | 'transcript';
  /** Throws a FormProblem. */
  request(values: Values): PlayRequest;
  /** Throws a plain Error for a reply that is not what the API says. */
  read(reply: PlayReply, values: Values): readonly Shown[];
}

/** What is wrong with a form, beside the field that it is about. */
export class FormProblem extends Error {
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.name = 'FormProblem';
    this.field = field;
  }
}
