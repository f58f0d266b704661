import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocksOf, rolesOf } from './blocks.ts';
import { difference } from './shown.ts';

test('what a page shows is compared as JSON, with the last digits of fractions free', () => {
  assert.equal(difference('{"a": 1, "b": [0.5001]}', '{"b":[0.5],"a":1}'), undefined);
  assert.match(difference('{"a":1}', '{"a":2}') ?? '', /\$\.a is 2, not 1/);
  assert.match(difference('{"b":[0.6]}', '{"b":[0.5]}') ?? '', /\$\.b\[0\]/);
  assert.match(difference('{"a":1}', '{"a":1,"b":2}') ?? '', /\$ has b as well/);
  assert.match(difference('{"a":1,"b":2}', '{"a":1}') ?? '', /\$ has no b/);
  assert.match(difference('[1]', '[1,2]') ?? '', /2 elements, not 1/);
  assert.match(difference('[1]', 'not JSON') ?? '', /the page shows/);
  assert.equal(difference('{"a":1}\n{"a":2}', '{"a":1}\n{"a":2}\n'), undefined);
  assert.match(difference('{"a":1}', '{"a":1}\n{"a":2}') ?? '', /there were 2/);
});

test('three dots stand for what a page leaves out', () => {
  assert.equal(difference('{"id":"chat-...","n":...,"v":[1, ...]}', '{"id":"chat-17","n":17,"v":[1,2,3]}'), undefined);
  assert.equal(difference('{"a": 1, ...}', '{"a":1,"b":2}'), undefined);
  assert.match(difference('{"id":"chat-..."}', '{"id":"talk-17"}') ?? '', /\$\.id/);
  assert.equal(
    difference('HTTP/1.1 200 OK\n...\nContent-Length: 3', 'HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 3\r\n\r\n'),
    undefined,
  );
  assert.match(difference('size ... MB', 'size 3 KB') ?? '', /the page shows/);
});

const PAGE = `# Page
\`\`\`sh
ls
\`\`\`
\`\`\`json
{}
\`\`\`
\`\`\`json
{}
\`\`\`
## Next
<!-- not run: needs a GPU -->
  \`\`\`sh
  ls
    -l
  \`\`\`
\`\`\`
what that prints
\`\`\`
<!-- checked as: model.json -->

\`\`\`json
{}
\`\`\`
<!-- not run: no -->
\`\`\`python
\`\`\`
\`\`\`
a drawing
\`\`\`
`;

test('blocks have a role by their language, their place, or the comment above them', () => {
  const blocks = blocksOf('page.md', PAGE);
  assert.deepEqual(rolesOf(blocks), [
    'shell',
    'output',
    undefined,
    'not run',
    'not run',
    'checked',
    undefined,
    undefined,
  ]);
  assert.deepEqual(blocks.map(({ line }) => line).slice(0, 4), [2, 5, 8, 13]);
  assert.equal(blocks[3]?.text, 'ls\n  -l');
  assert.throws(() => blocksOf('page.md', '# A\n```sh\nls'), /page\.md:2: the block is not closed/);
});
