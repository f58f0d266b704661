import { OPTION_COMPLETIONS, type Completed, type CompletedCommand, type CompletedFlag } from './completed.ts';

/** A script for zsh, for `source` after `compinit`, or as the file `_carpool` in a folder of `fpath`. */
export function zshScript(commands: readonly CompletedCommand[]): string {
  const described = commands.flatMap(({ name, aliases, summary }) =>
    [name, ...aliases].map((one) => `'${one}:${plain(summary)}'`),
  );
  return `#compdef carpool
# zsh completion of carpool: source <(carpool completion zsh)
_carpool_models() {
  local dir=\${opt_args[--models-dir]:-\${MODELS_DIR:-models}}
  local -a names
  names=(\${~dir}/*(N/:t) \${~dir}/*.onnx(N:t:r))
  compadd -a names
}

_carpool_commands() {
  local -a commands
  commands=(
    ${described.join('\n    ')}
  )
  _describe -t commands command commands
}

_carpool() {
  local curcontext=$curcontext state line
  local -A opt_args
  local -a options
  if ((CURRENT == 2)); then
    _carpool_commands
    return
  fi
  options=(
    ${OPTION_COMPLETIONS.flatMap(specsOf).join('\n    ')}
  )
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${commands.map(commandCase).join('\n')}
  esac
}

if [[ $funcstack[1] == _carpool ]]; then
  _carpool "$@"
else
  compdef _carpool carpool
fi`;
}

function commandCase({ name, aliases, flags, takesOptions, operand }: CompletedCommand): string {
  const specs = [...flags.flatMap(specsOf), `'*:${nameOf(operand)}:${actionOf(operand)}'`];
  return `    ${[name, ...aliases].join('|')})
      _arguments \\
        ${specs.join(' \\\n        ')}${takesOptions ? ' \\\n        $options' : ''}
      ;;`;
}

/** `--flag=[doc]:value:action`: the value may follow `=` or stand by itself. */
function specsOf({ flag, letter, doc, value }: CompletedFlag): string[] {
  const [equals, tail] = value === undefined ? ['', ''] : ['=', `:value:${actionOf(value)}`];
  const short = letter === undefined ? [] : [`'-${letter}[${plain(doc)}]${tail}'`];
  return [`'${flag}${equals}[${plain(doc)}]${tail}'`, ...short];
}

function nameOf(operand: CompletedCommand['operand']): string {
  return typeof operand === 'string' ? operand : 'word';
}

function actionOf(value: Completed | 'nothing' | 'text' | 'command'): string {
  if (value === 'any' || value === 'nothing' || value === 'text') return ' ';
  if (value === 'file') return '_files';
  if (value === 'folder') return '_files -/';
  if (value === 'model') return '_carpool_models';
  if (value === 'command') return '_carpool_commands';
  return `(${value.join(' ')})`;
}

/** Without what ends a description. */
function plain(text: string): string {
  return text.replaceAll(/['[\]:\\]/g, '');
}
