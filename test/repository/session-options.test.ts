import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeLayers } from '../../src/repository/layers.ts';

const merge = (session: unknown) => mergeLayers([{ label: 'model.json', value: { session } }]);

test('entries of ONNX Runtime that only change how it computes are passed on, as texts', () => {
  const { manifest, problems } = merge({
    extra: {
      'session.disable_prepacking': true,
      session: { intra_op: { allow_spinning: 0 }, set_denormal_as_zero: '1' },
    },
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(manifest.session.extra, {
    'session.disable_prepacking': '1',
    'session.intra_op.allow_spinning': '0',
    'session.set_denormal_as_zero': '1',
  });
});

for (const entry of [
  'session.optimized_model_filepath',
  'session.optimized_model_external_initializers_file_name',
  'session.save_model_format',
  'session.enable_profiling',
  'session.collect_node_memory_stats_to_file',
  'session.node_partition_config_file',
  'session.model_external_initializers_file_folder_path',
  'session.load_model_format',
  'session.use_ort_model_bytes_directly',
  'session.resource_cuda_partitioning_settings',
  'session.log_severity_level',
  'ep.context_enable',
  'ep.context_file_path',
  'a.new.entry',
])
  test(`the entry ${entry} is refused, however it is written`, () => {
    const nested = entry
      .split('.')
      .reduceRight<unknown>((value, name) => JSON.parse(`{"${name}":${JSON.stringify(value)}}`), '/tmp/x');
    for (const extra of [JSON.parse(`{"${entry}":"/tmp/x"}`) as unknown, nested]) {
      const { manifest, problems } = merge({ extra });
      assert.match(
        problems.join(),
        new RegExp(`^model.json: session.extra.${entry}: this entry may not be set; those that may: mlas`),
      );
      assert.equal(manifest.session.extra, undefined);
    }
  });

test('values of entries are texts, numbers, true or false', () => {
  for (const value of [null, ['x']])
    assert.deepEqual(merge({ extra: { 'session.disable_prepacking': value } }).problems, [
      'model.json: session.extra.session.disable_prepacking: expected text, a number, true or false',
    ]);
});

test('options of the session that write files or load libraries are unknown', () => {
  for (const option of [
    'optimizedModelFilePath',
    'enableProfiling',
    'profileFilePrefix',
    'executionProviders',
    'externalData',
  ])
    assert.deepEqual(merge({ [option]: 'x' }).problems, [`model.json: session.${option}: unknown field`]);
});

test('threads are bounded', () => {
  assert.match(
    merge({ intraOpNumThreads: 1_000_000 }).problems.join(),
    /intraOpNumThreads: too big: expected number to be <=256/,
  );
});

test('a model.json that is nested too deeply is reported, without a stack overflow', () => {
  const extra = JSON.parse(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`) as unknown;
  assert.deepEqual(merge({ extra }).problems, ['model.json: may be nested 64 deep at most']);
});
