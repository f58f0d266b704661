import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OPERATIONS } from '../../src/dialects/operations.ts';
import { ServerError } from '../../src/errors.ts';
import { fuzzBudgetMs } from './budget.ts';

/** All operations that take JSON of their own share the budget of one fuzz test. */
const operations = OPERATIONS.filter((operation) => operation.kind === 'items' || operation.kind === 'call');
const budget = {
  numRuns: Number.MAX_SAFE_INTEGER,
  plugins: [fc.interruptAfterTimeLimit(fuzzBudgetMs() / operations.length)],
};

const FIELDS = [
  ...['model', 'input', 'inputs', 'messages', 'prompt', 'query', 'texts', 'ids', 'text_input', 'parameters'],
  ...['temperature', 'n', 'stop', 'stream', 'stream_options', 'logit_bias', 'logprobs', 'size', 'tools', 'dimensions'],
  ...['__proto__', 'constructor', 'encoding_format', 'source_sentence', 'sentences', 'role', 'content', 'type', 'text'],
  ...['chunking_strategy', 'vad_filter', 'timestamp_granularities', 'hotwords'],
  ...['tool_choice', 'functions', 'function', 'name', 'tool_calls', 'tool_call_id', 'function_call', 'arguments'],
  ...['documents', 'top_n', 'return_documents', 'rank_fields', 'truncation', 'truncation_side'],
  ...['embedding_types', 'truncate', 'input_type', 'images', 'max_tokens', 'text_1', 'text_2', 'queries', 'data_1'],
  ...['options', 'candidate_labels', 'question', 'context', 'file', 'url', 'audio', 'image', 'include'],
  ...['voice', 'id', 'response_format', 'speed', 'stream_format', 'instructions'],
  ...['format', 'think', 'thinking', 'tool_name', 'system', 'raw', 'suffix', 'num_predict'],
];
const leaf = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.boolean(), fc.constant(null));
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...FIELDS), tie('value'), { maxKeys: 5 }),
  ),
}));
const request = fc.dictionary(fc.constantFrom(...FIELDS), value, { maxKeys: 8 });
const CODES = ['BAD_REQUEST', 'INVALID_INPUT', 'TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];

for (const operation of operations)
  test(`${operation.name}: any JSON object is a request or is refused as the client's mistake`, () =>
    fc.assert(
      fc.asyncProperty(request, async (fields) => {
        try {
          await operation.decode(Buffer.from(JSON.stringify(fields)), { itemLimit: 8, contentType: undefined });
        } catch (error) {
          assert.ok(error instanceof ServerError && CODES.includes(error.code), String(error));
        }
      }),
      budget,
    ));
