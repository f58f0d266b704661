import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { fileUrl, readDocument } from './documents.ts';

/** A project that has the package among its dependencies, and what the compiler says of files in it. */

const ROOT = fileURLToPath(fileUrl('.'));

/** Options of a careful reader's project; `skipLibCheck` is off so that the package's own declarations are checked too. */
const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.Node20,
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  types: ['node'],
  allowJs: true,
  checkJs: true,
  noEmit: true,
};

export class Consumer {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'carpool-types-'));
  readonly #package = path.join(this.#folder, 'node_modules', 'carpool');

  constructor() {
    linkPackages(path.join(ROOT, 'node_modules'), path.join(this.#folder, 'node_modules'));
    mkdirSync(this.#package);
    writeFileSync(path.join(this.#package, 'package.json'), readDocument('package.json'));
    writeFileSync(path.join(this.#folder, 'package.json'), '{"type": "module"}');
    emitDeclarations(path.join(this.#package, 'dist'));
  }

  /** What is wrong with these files, texts by name, or with the declarations that they use: a line each, with the name, or the path in the package. */
  problemsOf(files: ReadonlyMap<string, string>): string[] {
    for (const [name, text] of files) writeFileSync(path.join(this.#folder, name), text);
    const program = ts.createProgram(
      [...files.keys()].map((name) => path.join(this.#folder, name)),
      OPTIONS,
    );
    const own = program.getSourceFiles().filter(({ fileName }) => {
      const relative = path.relative(this.#folder, fileName);
      return !relative.startsWith('..') && (!relative.startsWith('node_modules') || fileName.startsWith(this.#package));
    });
    return [
      ...program.getOptionsDiagnostics(),
      ...own.flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]),
    ].map((diagnostic) => this.#told(diagnostic));
  }

  #told({ file, start = 0, messageText }: ts.Diagnostic): string {
    const text = ts.flattenDiagnosticMessageText(messageText, '\n');
    if (file === undefined) return text;
    const line = file.getLineAndCharacterOfPosition(start).line + 1;
    return `${path.relative(this.#folder, file.fileName)}:${line}: ${text}`;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Links every package, so that each is found beside `carpool`, as where it is installed. */
function linkPackages(from: string, to: string): void {
  mkdirSync(to);
  for (const name of readdirSync(from).filter((entry) => !entry.startsWith('.')))
    if (name.startsWith('@')) linkPackages(path.join(from, name), path.join(to, name));
    else symlinkSync(path.join(from, name), path.join(to, name));
}

/** The declarations that `npm pack` makes, of the entries and of what they lead to: those of all files would take ten times as long. */
function emitDeclarations(folder: string): void {
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: fail };
  const config = ts.getParsedCommandLineOfConfigFile(path.join(ROOT, 'tsconfig.types.json'), { outDir: folder }, host);
  if (config === undefined) throw new Error('tsconfig.types.json cannot be read');
  const declarations = new Declarations(config.options);
  const found = new Set(config.fileNames);
  for (const file of found) {
    const text = declarations.of(file);
    const target = path.join(folder, path.relative(ROOT, file)).replace(/\.ts$/, '.d.ts');
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, text);
    for (const { fileName } of ts.preProcessFile(text).importedFiles)
      if (fileName.startsWith('.')) found.add(path.join(path.dirname(file), fileName.replace(/\.js$/, '.ts')));
  }
}

class Declarations {
  readonly #options: ts.CompilerOptions;
  #program: ts.Program | undefined;

  constructor(options: ts.CompilerOptions) {
    // The build has checked the sources.
    this.#options = { ...options, noEmitOnError: false };
  }

  /** Of a file by itself where it says all its types, else with what its imports say. */
  of(file: string): string {
    const alone = ts.transpileDeclaration(readFileSync(file, 'utf8'), {
      fileName: file,
      compilerOptions: this.#options,
      reportDiagnostics: true,
    });
    if (alone.diagnostics?.length === 0) return alone.outputText;
    let text = '';
    this.#program = ts.createProgram([file], this.#options, undefined, this.#program);
    this.#program.emit(this.#program.getSourceFile(file), (_, written) => void (text = written), undefined, true);
    return text;
  }
}

function fail(diagnostic: ts.Diagnostic): never {
  throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'));
}
