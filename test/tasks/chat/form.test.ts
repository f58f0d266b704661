import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ServerError } from '../../../src/errors.ts';
import { Grammar, Matcher } from '../../../src/grammar/matcher.ts';
import { spellingOf } from '../../../src/grammar/token-trie.ts';
import type { GenerationParameters } from '../../../src/tasks/chat/generation.ts';
import { createChatTask } from '../../../src/tasks/chat/task.ts';
import { vocabularyOf } from '../../../src/tasks/chat/vocabulary.ts';
import type { Task } from '../../../src/tasks/task.ts';
import { byteTokenizer, HELLO, item, makeChatFolder, sentencePieceTokenizer, type ChatFolder } from './support.ts';

let chat: ChatFolder;
let task: Task;
before(async () => {
  chat = await makeChatFolder();
  task = await createChatTask(chat.source());
});
after(() => chat[Symbol.asyncDispose]());

const format = (schema: unknown): object => ({ type: 'json_schema', json_schema: { name: 'a', schema } });

async function parametersOf(parameters: Record<string, unknown>): Promise<GenerationParameters> {
  return (await task.prepare(item(HELLO, parameters))).parameters as GenerationParameters;
}

async function allows(parameters: Record<string, unknown>, text: string): Promise<boolean> {
  const { grammar } = await parametersOf(parameters);
  assert.ok(grammar !== undefined);
  const matcher = new Matcher(new Grammar(grammar));
  const bytes = [...Buffer.from(text)];
  return matcher.accepted(bytes) === bytes.length && (bytes.forEach((byte) => matcher.take(byte)), matcher.whole);
}

test('the form of an answer becomes a grammar, in every spelling', async () => {
  assert.equal((await parametersOf({})).grammar, undefined);
  assert.equal((await parametersOf({ response_format: { type: 'text' } })).grammar, undefined);
  assert.ok(await allows({ response_format: { type: 'json_object' } }, '{"a":[]}'));
  assert.ok(await allows({ response_format: format({ type: 'null' }) }, 'null'));
  for (const type of ['json_object', 'json_schema']) {
    const unwrapped = { response_format: { type, schema: { type: 'null' } } };
    assert.ok((await allows(unwrapped, 'null')) && !(await allows(unwrapped, '{}')), type);
  }
  assert.ok(await allows({ structured_outputs: { json: { type: 'null' } } }, 'null'));
  assert.ok(await allows({ structured_outputs: { json: '{"type":"null"}' } }, 'null'));
  assert.ok(await allows({ structured_outputs: { json_object: true } }, '{}'));
  assert.ok(await allows({ structured_outputs: { regex: 'a+' } }, 'aa'));
  assert.ok(await allows({ structured_outputs: { choice: ['yes', 'no'] } }, 'no'));
  assert.ok(await allows({ structured_outputs: { grammar: 'root ::= "x"' } }, 'x'));
});

test('equal forms share one grammar, and the end stays known where it is to be ignored', async () => {
  const spec = { response_format: format({ type: 'string' }) };
  const [one, other] = await Promise.all([parametersOf(spec), parametersOf({ ...spec, seed: 3, ignore_eos: true })]);
  assert.equal(one.grammar, other.grammar);
  assert.deepEqual(other.stopTokens, one.stopTokens);
  assert.ok(one.stopTokens.length > 0);
});

test('what cannot be held to is refused by name', async () => {
  const refused = async (parameters: Record<string, unknown>, param: string, message: RegExp): Promise<void> => {
    await assert.rejects(parametersOf(parameters), (error) => {
      assert.ok(error instanceof ServerError && error.code === 'INVALID_INPUT', String(error));
      assert.equal(error.param, param);
      assert.match(error.message, message);
      return true;
    });
  };
  await refused(
    { response_format: format({ not: {} }) },
    'response_format',
    /the keyword "not" is not supported \(#\)/,
  );
  await refused({ structured_outputs: { regex: '(?=a)' } }, 'structured_outputs', /lookahead/);
  await refused({ response_format: { type: 'json_schema' } }, 'response_format.json_schema', /./);
  await refused({ response_format: { type: 'xml' } }, 'response_format.type', /text, json_object or json_schema/);
  await refused({ structured_outputs: { xml: 'a' } }, 'structured_outputs.xml', /one of json, regex/);
  await refused(
    { response_format: { type: 'json_object' }, structured_outputs: { regex: 'a' } },
    'response_format',
    /one form only/,
  );
  await refused(
    { response_format: format({ const: 'long enough' }), max_tokens: 5 },
    'max_tokens',
    /may need 13 tokens, and there are 5/,
  );
});

test('forms are never read on the main thread', () => {
  assert.ok(task.isLight(item({ prompt: 'Hi' })));
  assert.ok(!task.isLight(item({ prompt: 'Hi' }, { structured_outputs: { regex: 'a' } })));
  assert.ok(!task.isLight(item({ prompt: 'Hi' }, { response_format: { type: 'json_object' } })));
});

test('a vocabulary knows the bytes of its tokens, and leaves out those that end answers', () => {
  const bytes = vocabularyOf(byteTokenizer(), [256]);
  assert.deepEqual([...bytes.specials], ['<begin>']);
  for (const byte of [0, 32, 65, 255]) assert.deepEqual([...spellingOf(bytes.trie, byte)], [byte]);
  assert.equal(spellingOf(bytes.trie, 256).length, 0);
  const { trie } = vocabularyOf(sentencePieceTokenizer(), []);
  const spelled = Array.from({ length: 12 }, (_, id) => Buffer.from(spellingOf(trie, id)).toString('latin1'));
  assert.deepEqual(spelled.slice(1, 6), [' Hello', ' wor', 'ld', '!', ' ']);
  assert.deepEqual(spelled.slice(6, 8), ['\x00', '\x01']);
});
