import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { createTask } from '../../../src/tasks/registry.ts';
import type { Signature } from '../../../src/tensors/tensor.ts';
import {
  answer,
  json,
  jsonOf,
  openShipped,
  pathOf,
  raw,
  refusal,
  sourceFor,
  spec,
  type ShippedModel,
} from '../support.ts';

interface Ranked {
  label: string;
  score: number;
}

const LANGUAGE_SIGNATURE: Signature = {
  inputs: [spec('ngrams', 'FP32', [-1, 620])],
  outputs: [spec('probs', 'FP32', [-1, 50])],
  batchable: true,
};

let model: ShippedModel;
before(async () => {
  model = await openShipped('language-id', LANGUAGE_SIGNATURE);
});

async function classify(text: string, parameters?: Record<string, unknown>): Promise<Ranked[]> {
  return jsonOf(await answer(model, json(text, parameters))) as Ranked[];
}

const SENTENCES: [string, string][] = [
  ['eng', 'The weather was fine yesterday, so we walked along the river until it got dark.'],
  ['deu', 'Gestern war das Wetter schön, und wir sind bis zum Abend am Fluss entlanggegangen.'],
  ['fra', "Hier il faisait beau, alors nous avons marché le long de la rivière jusqu'au soir."],
  ['spa', 'Ayer hizo buen tiempo y caminamos junto al río hasta que se hizo de noche.'],
  ['ita', 'Ieri il tempo era bello e abbiamo camminato lungo il fiume fino a sera.'],
  ['por', 'Ontem o tempo estava bom e caminhamos ao longo do rio até o anoitecer.'],
  ['nld', 'Gisteren was het mooi weer en hebben we tot de avond langs de rivier gewandeld.'],
  ['pol', 'Wczoraj była ładna pogoda i spacerowaliśmy wzdłuż rzeki aż do wieczora.'],
  ['fin', 'Eilen sää oli kaunis, ja kävelimme joen rantaa pitkin iltaan asti.'],
  ['hun', 'Tegnap szép idő volt, ezért estig sétáltunk a folyó mentén.'],
  ['tur', 'Dün hava güzeldi ve akşama kadar nehir boyunca yürüdük.'],
  ['vie', 'Hôm qua thời tiết đẹp nên chúng tôi đi bộ dọc bờ sông cho đến tối.'],
  ['rus', 'Вчера была хорошая погода, и мы гуляли вдоль реки до самого вечера.'],
  ['ukr', 'Учора була гарна погода, і ми гуляли вздовж річки до самого вечора.'],
  ['ell', 'Χθες ο καιρός ήταν καλός και περπατήσαμε δίπλα στο ποτάμι μέχρι το βράδυ.'],
  ['heb', 'אתמול מזג האוויר היה יפה והלכנו לאורך הנהר עד הערב.'],
  ['ara', 'كان الطقس جميلا أمس، فمشينا على ضفة النهر حتى المساء.'],
  ['hin', 'कल मौसम अच्छा था और हम शाम तक नदी के किनारे टहलते रहे।'],
  ['jpn', '昨日は天気がよかったので、夕方まで川沿いを歩きました。'],
  ['kor', '어제는 날씨가 좋아서 저녁까지 강을 따라 걸었습니다.'],
  ['cmn', '昨天天气很好,我们沿着河边一直走到晚上。'],
  ['hye', 'Երեկ եղանակը լավ էր, և մենք մինչև երեկո քայլեցինք գետի երկայնքով։'],
  ['kat', 'გუშინ კარგი ამინდი იყო და საღამომდე მდინარის პირას ვსეირნობდით.'],
  ['ben', 'গতকাল আবহাওয়া ভালো ছিল, তাই আমরা সন্ধ্যা পর্যন্ত নদীর ধারে হেঁটেছি।'],
];

for (const [language, sentence] of SENTENCES)
  test(`a sentence is recognised as ${language}`, async () => {
    const [best] = await classify(sentence);
    assert.equal(best?.label, language);
    assert.ok(best.score > 0.5, `score ${best.score}`);
  });

test('classes come best first, five of them unless the request says otherwise', async () => {
  const five = await classify('Where is the station?');
  assert.equal(five.length, 5);
  assert.deepEqual(
    five.map(({ score }) => score),
    five.map(({ score }) => score).toSorted((one, other) => other - one),
  );
  assert.equal((await classify('Where is the station?', { top_k: 2 })).length, 2);
  const all = await classify('Where is the station?', { top_k: 0 });
  assert.equal(all.length, 50);
  assert.ok(Math.abs(all.reduce((sum, { score }) => sum + score, 0) - 1) < 1e-4);
});

test('case, hyphens, digits and punctuation change nothing', async () => {
  const plain = await classify('the well known words');
  assert.deepEqual(await classify('  THE, "well-known"\n\twords!! 123 '), plain);
});

test('a text comes as a string, an object or a raw body', async () => {
  const expected = await classify('Guten Morgen');
  assert.deepEqual(jsonOf(await answer(model, json({ text: 'Guten Morgen' }))), expected);
  assert.deepEqual(jsonOf(await answer(model, raw('text/plain', Buffer.from('Guten Morgen')))), expected);
});

test('a single letter and half a character are taken', async () => {
  assert.equal((await classify('a')).length, 5);
  assert.deepEqual(await classify('Guten Morgen \ud83d'), await classify('Guten Morgen'));
});

test('items that are not texts are refused with a 4xx', async () => {
  const { task } = model;
  const cases: [Parameters<typeof task.prepare>[0], ReturnType<typeof refusal>][] = [
    [json(''), refusal('INVALID_INPUT', /empty/)],
    [json(' \n'), refusal('INVALID_INPUT', /empty/)],
    [json('123 !?'), refusal('INVALID_INPUT', /letters/)],
    [json(5), refusal('INVALID_INPUT', /string/)],
    [json(null), refusal('INVALID_INPUT')],
    [json(undefined), refusal('INVALID_INPUT')],
    [json({ text: 5 }), refusal('INVALID_INPUT')],
    [json('hello', { top_k: -1 }), refusal('INVALID_INPUT', /top_k/)],
    [json('hello', { top_k: 'all' }), refusal('INVALID_INPUT', /top_k/)],
    [json('a'.repeat(100_001)), refusal('TOO_LARGE', /100000/)],
    [raw('text/plain', new Uint8Array(400_000).fill(97)), refusal('TOO_LARGE')],
    [raw('text/plain', Uint8Array.of(0xff, 0xfe)), refusal('BAD_REQUEST', /UTF-8/)],
    [raw('image/png', Buffer.from('hello')), refusal('UNSUPPORTED_MEDIA_TYPE')],
  ];
  for (const [item, expected] of cases) await assert.rejects(async () => task.prepare(item), expected);
});

test('long texts are prepared elsewhere', () => {
  assert.equal(model.task.isLight(json('a'.repeat(100))), true);
  assert.equal(model.task.isLight(json('a'.repeat(50_000))), false);
  assert.equal(model.task.isLight(raw('text/plain', new Uint8Array(50_000))), false);
});

test('a graph that takes texts gets the text, and its scores are activated', async () => {
  const signature: Signature = {
    inputs: [spec('text', 'BYTES', [-1, 1])],
    outputs: [spec('label', 'BYTES', [-1]), spec('scores', 'FP32', [-1, 2])],
    batchable: true,
  };
  const finished = async (activation: string): Promise<unknown> => {
    const options = { features: 'text', activation };
    const task = await createTask(sourceFor('text-classification', signature, { options, labels: ['no', 'yes'] }));
    const { inputs, memo } = await task.prepare(json('Hello, 5!'));
    assert.deepEqual(inputs['text'], { datatype: 'BYTES', shape: [1, 1], data: ['Hello, 5!'] });
    const data = new Uint8Array(Float32Array.of(0, Math.log(3)).buffer);
    return jsonOf(await task.finish({ scores: { datatype: 'FP32', shape: [1, 2], data } }, memo));
  };
  assert.deepEqual(await finished('softmax'), [
    { label: 'yes', score: 0.75 },
    { label: 'no', score: 0.25 },
  ]);
  assert.deepEqual(await finished('sigmoid'), [
    { label: 'yes', score: 0.75 },
    { label: 'no', score: 0.5 },
  ]);
});

test('a model folder that does not fit the task is refused at load', async () => {
  const files = { ngrams: pathOf('models/language-id/ngrams.json') };
  const make = (more: object): Promise<unknown> =>
    createTask(
      sourceFor('text-classification', LANGUAGE_SIGNATURE, { files, options: { features: 'ngrams' }, ...more }),
    );
  await assert.doesNotReject(make({}));
  await assert.rejects(make({ files: {} }), /files\.ngrams/);
  await assert.rejects(make({ labels: ['one', 'two'] }), /2 labels for the 50 classes/);
  await assert.rejects(make({ options: { features: 'words' } }), /options\.features/);
  await assert.rejects(make({ options: { features: 'ngrams', topk: 3 } }), /topk/);
  await assert.rejects(make({ options: { features: 'text' } }), /one input, of texts/);
  const narrow = { ...LANGUAGE_SIGNATURE, inputs: [spec('ngrams', 'FP32', [-1, 600])] };
  await assert.rejects(make({ signature: narrow }), /620 n-grams where the model takes 600/);
});
