import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plotTune } from '../../src/tune/plot.ts';

const SETTING = { lanes: 1, threads: 1, maxItems: 8, delayMs: 0 };

test('a plot of a search shows each measurement, the limit and the chosen setting, and nothing of it is from elsewhere', () => {
  const measured = [
    { setting: SETTING, clients: 8, perSecond: 100, p99Ms: 20, isCompared: false },
    { setting: SETTING, clients: 16, perSecond: 190, p99Ms: 40, isCompared: true },
    { setting: { ...SETTING, lanes: 2 }, clients: 16, perSecond: 50, p99Ms: Infinity, isCompared: false },
  ];
  const svg = plotTune({ model: 'm<1>', p99Ms: 50, measured, chosen: SETTING }, false, '');
  assert.match(svg, /^<svg /);
  assert.equal(svg.match(/<title>/g)?.length, 3);
  assert.equal(svg.match(/r="10"/g)?.length, 1);
  assert.match(svg, />limit<[^]*m&lt;1&gt;|m&lt;1&gt;[^]*>limit</);
  assert.ok(!/NaN|undefined|<script/.test(svg), svg);
  assert.deepEqual(svg.match(/https?:\/\/[^"]*/g), ['http://www.w3.org/2000/svg']);
  const html = plotTune({ model: 'm', p99Ms: 50, measured: [], chosen: undefined }, true, 'a < b');
  assert.match(html, /^<!doctype html>[^]*<svg [^]*a &lt; b/);
  assert.ok(!/NaN/.test(html), html);
});
