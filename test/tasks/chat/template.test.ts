import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { loadChatTemplate, type ChatTemplate } from '../../../src/tasks/chat/template.ts';
import { refusal } from '../support.ts';
import { byteTokenizer } from './support.ts';

async function templateOf(t: TestContext, text: string, renderLimitMs = 5000): Promise<ChatTemplate> {
  const folder = await mkdtemp(path.join(tmpdir(), 'carpool-template-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'chat_template.jinja');
  await writeFile(file, text);
  const template = await loadChatTemplate({ chatTemplate: file }, byteTokenizer(), { renderLimitMs });
  assert.ok(template !== undefined);
  return template;
}

const request = { messages: [{ role: 'user', content: 'hi' }], addGenerationPrompt: true, variables: {} };

test(
  'a template that loops is ended: the messages are refused, and the thread lives on',
  { timeout: 20_000 },
  async (t) => {
    const loops = await templateOf(
      t,
      '{% for a in range(100000) %}{% for b in range(100000) %}{{ a }}{% endfor %}{% endfor %}',
      50,
    );
    assert.throws(
      () => loops(request),
      (error) => refusal('INVALID_INPUT')(error) && /does not end within 0.05 s/.test((error as Error).message),
    );
    const ends = await templateOf(t, '{{ messages[0].content }}!');
    assert.equal(ends(request), 'hi!');
  },
);
