/** Twenty schemas, each with ten questions: what a small chat model is asked for in `bench:structured`. */

export interface Asked {
  readonly about: string;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly questions: readonly string[];
}

const CITIES = ['Paris', 'Tokyo', 'Nairobi', 'Lima', 'Oslo', 'Delhi', 'Cairo', 'Boston', 'Sydney', 'Kyiv'];
const PEOPLE = [
  'Ada Lovelace',
  'Alan Turing',
  'Marie Curie',
  'Albert Einstein',
  'Grace Hopper',
  'Isaac Newton',
  'Frida Kahlo',
  'Nelson Mandela',
  'Amelia Earhart',
  'Leonardo da Vinci',
];
const THINGS = [
  'a red bicycle',
  'a wooden chair',
  'a green tea',
  'a mystery novel',
  'a running shoe',
  'a desk lamp',
  'a chess set',
  'a rain coat',
  'a violin',
  'a garden hose',
];

function strict(properties: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

const text = { type: 'string' };
const word = { type: 'string', maxLength: 20 };
const of = (ask: string, subjects: readonly string[]): string[] => subjects.map((subject) => ask.replace('$', subject));

export const ASKED: readonly Asked[] = [
  {
    about: 'a flat object',
    schema: strict({ name: text, age: { type: 'integer', minimum: 0, maximum: 120 } }),
    questions: of('Give the name and age of $.', PEOPLE),
  },
  {
    about: 'nested objects',
    schema: strict({
      city: strict({ name: text, country: strict({ name: text, code: { type: 'string', pattern: '^[A-Z]{2}$' } }) }),
      capital: { type: 'boolean' },
    }),
    questions: of('Describe the city of $.', CITIES),
  },
  {
    about: 'an enum',
    schema: strict({ mood: { enum: ['happy', 'sad', 'angry', 'calm'] }, certainty: { enum: [1, 2, 3] } }),
    questions: of('What is the mood of a person who just bought $?', THINGS),
  },
  {
    about: 'an array with bounds',
    schema: strict({ tags: { type: 'array', items: word, minItems: 2, maxItems: 4 } }),
    questions: of('Give tags for $.', THINGS),
  },
  {
    about: 'an array at the top',
    schema: { type: 'array', items: { type: 'integer', minimum: 1, maximum: 100 }, minItems: 3, maxItems: 5 },
    questions: of('Write some lucky numbers for $.', PEOPLE),
  },
  {
    about: 'references',
    schema: {
      ...strict({ from: { $ref: '#/$defs/place' }, to: { $ref: '#/$defs/place' } }),
      $defs: { place: strict({ city: word, country: word }) },
    },
    questions: of('Plan a flight to $.', CITIES),
  },
  {
    about: 'recursion',
    schema: {
      $ref: '#/$defs/part',
      $defs: { part: strict({ name: word, parts: { type: 'array', items: { $ref: '#/$defs/part' }, maxItems: 2 } }) },
    },
    questions: of('Name the parts of $.', THINGS),
  },
  {
    about: 'anyOf with null',
    schema: strict({ title: word, subtitle: { anyOf: [word, { type: 'null' }] } }),
    questions: of('Give a title for a book about $.', PEOPLE),
  },
  {
    about: 'anyOf of objects',
    schema: {
      anyOf: [
        strict({ kind: { const: 'product' }, price: { type: 'number', minimum: 0, maximum: 1000 } }),
        strict({ kind: { const: 'service' }, hours: { type: 'integer', minimum: 1, maximum: 40 } }),
      ],
    },
    questions: of('What would $ cost?', THINGS),
  },
  {
    about: 'oneOf by a constant',
    schema: {
      oneOf: [
        strict({ type: { const: 'sun' }, degrees: { type: 'integer', minimum: -50, maximum: 60 } }),
        strict({ type: { const: 'rain' }, millimetres: { type: 'number', exclusiveMinimum: 0, maximum: 200 } }),
      ],
    },
    questions: of('What is the weather in $?', CITIES),
  },
  {
    about: 'decimals with bounds',
    schema: strict({
      latitude: { type: 'number', minimum: -90, maximum: 90 },
      longitude: { type: 'number', minimum: -180, maximum: 180 },
    }),
    questions: of('Where is $?', CITIES),
  },
  {
    about: 'patterns',
    schema: strict({
      sku: { type: 'string', pattern: '^[A-Z]{3}-[0-9]{4}$' },
      colour: { type: 'string', pattern: '^#[0-9a-f]{6}$' },
    }),
    questions: of('Give a stock number and a colour for $.', THINGS),
  },
  {
    about: 'dates and times',
    schema: strict({ born: { type: 'string', format: 'date' }, updated: { type: 'string', format: 'date-time' } }),
    questions: of('When was $ born?', PEOPLE),
  },
  {
    about: 'other formats',
    schema: strict({
      email: { type: 'string', format: 'email' },
      id: { type: 'string', format: 'uuid' },
      address: { type: 'string', format: 'ipv4' },
    }),
    questions: of('Make up an account for $.', PEOPLE),
  },
  {
    about: 'lengths',
    schema: strict({
      code: { type: 'string', minLength: 3, maxLength: 5 },
      note: { type: 'string', minLength: 10, maxLength: 60 },
    }),
    questions: of('Write a short note about $.', THINGS),
  },
  {
    about: 'names and values beyond ASCII',
    schema: strict({ größe: { enum: ['klein', 'groß'] }, 名前: word, 'a "quoted" name': { enum: ['é\n', '😀'] } }),
    questions: of('Beschreibe $.', CITIES),
  },
  {
    about: 'optional properties',
    schema: {
      type: 'object',
      properties: {
        name: word,
        nickname: word,
        height: { type: 'number', minimum: 0.5, maximum: 2.5 },
        alive: { type: 'boolean' },
      },
      required: ['name', 'alive'],
    },
    questions: of('Tell me about $.', PEOPLE),
  },
  {
    about: 'further properties',
    schema: {
      type: 'object',
      properties: { total: { type: 'integer' } },
      required: ['total'],
      additionalProperties: { type: 'number' },
    },
    questions: of('Count the letters of $.', CITIES),
  },
  {
    about: 'arrays of objects',
    schema: strict({
      steps: {
        type: 'array',
        minItems: 1,
        maxItems: 3,
        items: strict({
          number: { type: 'integer', minimum: 1, maximum: 9 },
          action: { type: 'string', maxLength: 40 },
          done: { type: 'boolean' },
        }),
      },
    }),
    questions: of('How do I clean $?', THINGS),
  },
  { about: 'any object', schema: { type: 'object' }, questions: of('Give three facts about $ as JSON.', CITIES) },
];
