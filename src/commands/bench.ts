import { writeFile } from 'node:fs/promises';
import { compare, comparedText, readReport } from '../benchmark/compare.ts';
import { BENCH, benchFlags, type BenchFlags, type CompareFlags } from '../benchmark/flags.ts';
import { load } from '../benchmark/load.ts';
import { plot, type Series } from '../benchmark/plot.ts';
import { reportOf } from '../benchmark/report.ts';
import { findTarget } from '../benchmark/request.ts';
import { reportText } from '../benchmark/show.ts';
import { messageOf } from '../errors.ts';
import { exitCodeOf } from '../signals.ts';
import { VERSION } from '../version.ts';
import { print, refuse, stopOnSignal } from './host.ts';
import { statusLine } from './status-line.ts';

/** `carpool bench`. */
export async function bench(argv: readonly string[]): Promise<void> {
  const flags = benchFlags(argv);
  if ('problem' in flags) {
    refuse(flags.problem, BENCH);
    return;
  }
  try {
    await (flags.kind === 'compare' ? compareRuns(flags) : loadServer(flags));
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = 1;
  }
}

async function compareRuns({ files, plot: file, json }: CompareFlags): Promise<void> {
  const [first, second] = await Promise.all([readReport(files[0]), readReport(files[1])]);
  const compared = compare(first, second);
  const words = comparedText(compared, files);
  print(compared, json, () => words);
  await draw(
    file,
    [
      { name: files[0], report: first },
      { name: files[1], report: second },
    ],
    words,
  );
}

async function loadServer(flags: BenchFlags): Promise<void> {
  const { url, load: shape, json } = flags;
  const target = await findTarget(flags);
  const stop = stopOnSignal();
  const status = statusLine(process.stderr);
  const loaded = await load({
    url,
    request: target.request,
    shape,
    signal: stop.signal,
    onProgress: ({ elapsedMs, ended, isWarm }) => {
      const seconds = elapsedMs / 1000;
      status.show(
        `${isWarm ? 'measuring' : 'warming up'}: ${Math.round(seconds)} s, ${ended} requests, ${Math.round(ended / seconds)} a second`,
      );
    },
  });
  status.clear();
  const report = reportOf({ url, target, shape, loaded, version: VERSION });
  const words = reportText(report);
  print(report, json, () => words);
  await draw(flags.plot, [{ name: target.model ?? url, report }], words);
  if (stop.by !== undefined) process.exitCode = exitCodeOf(stop.by);
  else if (report.answered === 0 || report.failed > 0) process.exitCode = 1;
}

async function draw(file: string | undefined, series: readonly Series[], words: string): Promise<void> {
  if (file !== undefined) await writeFile(file, plot(series, file.endsWith('.html'), words));
}
