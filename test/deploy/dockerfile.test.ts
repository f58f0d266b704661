import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { OPTIONS } from '../../src/config/options.ts';
import {
  copiesOf,
  environmentOf,
  execForm,
  lineage,
  parseDockerfile,
  textsOf,
  workdirOf,
  type Stage,
} from './dockerfile.ts';
import { ignoreRules } from './dockerignore.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const stages = parseDockerfile(read('Dockerfile'));
const isIgnored = ignoreRules(read('.dockerignore'));
const targets = ['cpu', 'cuda'].map((name) => stageNamed(name));

function stageNamed(name: string): Stage {
  const stage = stages.find((candidate) => candidate.name === name);
  assert.ok(stage, `the Dockerfile has no stage ${name}`);
  return stage;
}

function only(stage: Stage, keyword: string): string {
  const texts = textsOf(stage, keyword);
  assert.equal(texts.length, 1, `${stage.name} should have one ${keyword}`);
  return texts[0] ?? '';
}

/** Paths in the image that the stage, or one it is built on, makes; a base image is taken to bring its own /usr/local. */
function madeBy(stage: Stage): string[] {
  return lineage(stages, stage).flatMap((ancestor) => {
    const workdir = workdirOf(stages, ancestor);
    const commands = textsOf(ancestor, 'RUN').join('\n');
    return [
      ...copiesOf(stages, ancestor).map(({ destination }) => destination),
      ...(/\bnpm ci\b/.test(commands) ? [`${workdir}/node_modules`] : []),
      ...(/\bnpm run build\b/.test(commands) ? [`${workdir}/dist`] : []),
      ...(ancestor.from.startsWith('node:') ? ['/usr/local/bin/node'] : []),
    ];
  });
}

describe('Dockerfile', () => {
  test('has a target for each device, and CPU by default', () => {
    assert.equal(stages.at(-1)?.name, 'cpu');
    assert.match(stageNamed('cpu').from, /^node:24-/);
    assert.match(stageNamed('cuda').from, /^nvidia\/cuda:12\.8\.\d+-cudnn-runtime-ubuntu24\.04$/);
  });

  test('builds each stage on an image with a tag or on an earlier stage', () => {
    for (const [index, stage] of stages.entries()) {
      const earlier = stages.slice(0, index).map(({ name }) => name);
      assert.ok(
        earlier.includes(stage.from) || stage.from === 'scratch' || /^[\w./-]+:[\w.-]+$/.test(stage.from),
        `${stage.name} is built on ${stage.from}`,
      );
    }
  });

  test('copies only what the repository has, the build context holds or an earlier stage makes', () => {
    for (const [index, stage] of stages.entries())
      for (const { from, sources } of copiesOf(stages, stage))
        for (const source of sources) {
          if (from === undefined) {
            assert.ok(existsSync(path.join(root, source)), `${stage.name}: ${source} is not in the repository`);
            assert.ok(!isIgnored(path.posix.normalize(source)), `${stage.name}: .dockerignore keeps ${source} out`);
            continue;
          }
          const origin = stages.slice(0, index).find(({ name }) => name === from);
          assert.ok(origin, `${stage.name}: there is no earlier stage ${from}`);
          assert.ok(
            madeBy(origin).some(
              (made) => source === made || source.startsWith(`${made}/`) || made.startsWith(`${source}/`),
            ),
            `${stage.name}: stage ${from} makes no ${source}`,
          );
        }
  });

  test('ends both targets alike: not root, PID 1 without a shell, the default port', () => {
    for (const target of targets) {
      const [uid, gid] = only(target, 'USER').split(':').map(Number);
      assert.ok(
        uid !== undefined && uid > 0 && gid !== undefined && gid > 0,
        `${target.name} must name a user by number, not root`,
      );
      assert.deepEqual(execForm(only(target, 'ENTRYPOINT')), ['node', 'dist/src/cli.js', 'serve']);
      assert.deepEqual(textsOf(target, 'CMD'), []);
      assert.equal(only(target, 'STOPSIGNAL'), 'SIGTERM');
      assert.equal(only(target, 'EXPOSE'), String(OPTIONS.PORT.default));
      assert.equal(workdirOf(stages, target), '/app');
      assert.equal(environmentOf(stages, target)['NODE_ENV'], 'production');
      // Without it glibc keeps the memory of large bodies.
      assert.equal(environmentOf(stages, target)['MALLOC_MMAP_THRESHOLD_'], '1048576');
      assert.equal(environmentOf(stages, target)['MODELS_DIR'], '/app/models');
    }
    const [first, second] = targets.map((target) => textsOf(target, 'HEALTHCHECK'));
    assert.deepEqual(first, second);
  });

  test('becomes the user only after the files are laid, so that the server cannot change them', () => {
    for (const target of targets) {
      const keywords = target.instructions.map(({ keyword }) => keyword);
      assert.ok(keywords.indexOf('USER') > keywords.lastIndexOf('COPY'), target.name);
      assert.ok(!textsOf(target, 'COPY').some((text) => text.includes('--chown')), target.name);
      // It may make folders of models that it pulls.
      const [user] = textsOf(target, 'USER');
      assert.ok(textsOf(target, 'RUN').includes(`chown ${user} models`), target.name);
    }
  });
});

describe('.dockerignore', () => {
  test('keeps out what an image must not hold', () => {
    const files = [
      'node_modules/express/index.js',
      '.git/config',
      'test/deploy/dockerfile.test.ts',
      'dist/src/cli.js',
      '.env',
      'deploy/salad/container-group.json',
    ];
    assert.deepEqual(
      files.filter((file) => !isIgnored(file)),
      [],
    );
  });

  test('lets in sources and models, but nothing that tools left among them', () => {
    assert.ok(!isIgnored('src/core/ticket.ts'));
    assert.ok(!isIgnored('models/square/model.onnx'));
    assert.ok(!isIgnored('.npmrc'));
    assert.ok(isIgnored('models/square/node_modules/x/index.js'));
    assert.ok(isIgnored('models/server.log'));
  });
});

describe('HEALTHCHECK', () => {
  const [check] = textsOf(stageNamed('cpu'), 'HEALTHCHECK');
  const [program, ...args] = execForm(/CMD (\[.*\])$/.exec(check ?? '')?.[1] ?? '');

  function exitCode(port: number): Promise<number | null> {
    assert.equal(program, 'node');
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, args, { env: { ...process.env, PORT: String(port) }, stdio: 'ignore' });
      child.once('error', reject);
      child.once('exit', resolve);
    });
  }

  async function withServer(
    host: string,
    status: number,
    use: (port: number, paths: string[]) => Promise<void>,
  ): Promise<void> {
    const paths: string[] = [];
    const server: Server = createServer((request, response) => {
      paths.push(request.url ?? '');
      response.writeHead(status).end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    try {
      await use((server.address() as AddressInfo).port, paths);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  test('passes while /health answers 200 on the port of PORT', async () => {
    await withServer('127.0.0.1', 200, async (port, paths) => {
      assert.equal(await exitCode(port), 0);
      assert.deepEqual(paths, ['/health']);
    });
  });

  test('fails while /health answers 503', async () => {
    await withServer('127.0.0.1', 503, async (port) => {
      assert.equal(await exitCode(port), 1);
    });
  });

  test('fails when nothing listens', async () => {
    let freed = 0;
    await withServer('127.0.0.1', 200, (port) => {
      freed = port;
      return Promise.resolve();
    });
    assert.equal(await exitCode(freed), 1);
  });
});

describe('the CUDA provider', () => {
  const require = createRequire(import.meta.url);
  const script = 'node_modules/onnxruntime-node/script';

  /** What the package's install step would do under these variables. */
  function flagUnder(variables: Record<string, string>): Promise<string> {
    const code = `console.log(String(require(${JSON.stringify(path.join(root, script, 'install-utils.js'))}).parseInstallFlag()))`;
    return new Promise((resolve, reject) => {
      // What somebody's own .npmrc says is handed on in the environment; ONNXRUNTIME_NODE_INSTALL must win over it.
      const env = { PATH: process.env['PATH'], npm_config_onnxruntime_node_install: 'skip', ...variables };
      const child = spawn(process.execPath, ['-e', code], { env, stdio: ['ignore', 'pipe', 'inherit'] });
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      child.once('error', reject);
      child.once('close', () => resolve(output.trim()));
    });
  }

  test('is skipped by every npm ci and fetched by the CUDA stage alone', async () => {
    for (const stage of stages.filter((candidate) => textsOf(candidate, 'RUN').some((text) => text.includes('npm ci'))))
      assert.equal(await flagUnder(environmentOf(stages, stage)), 'false', stage.name);
    const [, variable = '', value = ''] = /^(\w+)=(\w+) node /.exec(only(stageNamed('modules-cuda'), 'RUN')) ?? [];
    assert.equal(await flagUnder({ ...environmentOf(stages, stageNamed('modules-cuda')), [variable]: value }), 'true');
  });

  test('is looked for under the name that the install step gives it', () => {
    const command = only(stageNamed('modules-cuda'), 'RUN');
    const metadata = require(path.join(root, script, 'install-metadata.js')) as {
      requirements: Record<string, string[]>;
      manifests: Record<string, object>;
    };
    assert.deepEqual(metadata.requirements['linux/x64'], ['cuda12']);
    const [, folder = '', file = ''] = /test -f (\S+)\/([^/\s]+)$/.exec(command) ?? [];
    assert.ok(Object.keys(metadata.manifests['linux/x64:cuda12'] ?? {}).includes(`./${file}`), file);
    assert.ok(existsSync(path.join(root, folder)), folder);
    assert.ok(existsSync(path.join(root, script, 'install.js')) && command.includes(`${script}/install.js`));
  });
});
