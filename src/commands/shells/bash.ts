import { OPTION_COMPLETIONS, type Completed, type CompletedCommand, type CompletedFlag } from './completed.ts';

/** A script for bash. `=` is a word of its own there (COMP_WORDBREAKS). It works without the package bash-completion. */
export function bashScript(commands: readonly CompletedCommand[]): string {
  const names = commands.flatMap(({ name, aliases }) => [name, ...aliases]);
  return `# bash completion of carpool: source <(carpool completion bash)
_carpool_models() {
  local dir=\${MODELS_DIR:-models} i entry
  for ((i = 1; i < \${#COMP_WORDS[@]} - 1; i++)); do
    if [[ \${COMP_WORDS[i]} == --models-dir ]]; then
      dir=\${COMP_WORDS[i + 1]}
      [[ $dir == = ]] && dir=\${COMP_WORDS[i + 2]}
    fi
  done
  dir=\${dir/#\\~/$HOME}
  for entry in "$dir"/*/ "$dir"/*.onnx; do
    [[ -e $entry ]] || continue
    entry=\${entry%/}
    entry=\${entry##*/}
    # compgen -W expands its words: of other names it would run what stands in $().
    [[ $entry == *[!A-Za-z0-9._-]* ]] && continue
    printf '%s\\n' "\${entry%.onnx}"
  done
}

_carpool_words() { COMPREPLY=($(compgen -W "$1" -- "$2")); }

_carpool_paths() {
  compopt -o filenames 2> /dev/null
  local IFS=$'\\n'
  COMPREPLY=($(compgen "$1" -- "$2"))
}

_carpool_option() {
  case $1 in
${OPTION_COMPLETIONS.flatMap((flag) => valueCase(flag, flag.flag)).join('\n')}
    *) return 1 ;;
  esac
}

_carpool() {
  local cur=\${COMP_WORDS[COMP_CWORD]} flag=\${COMP_WORDS[COMP_CWORD - 1]} command=\${COMP_WORDS[1]}
  COMPREPLY=()
  if [[ $cur == = ]]; then
    cur=''
  elif [[ $flag == = ]]; then
    flag=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  if ((COMP_CWORD == 1)); then
    _carpool_words '${names.join(' ')} --help --version' "$cur"
    return
  fi
  local options='${OPTION_COMPLETIONS.map(({ flag }) => flag).join(' ')}'
  case $command in
${commands.map((command) => commandCase(command, names)).join('\n')}
  esac
}

complete -o bashdefault -F _carpool carpool`;
}

function commandCase(
  { name, aliases, flags, takesOptions, operand }: CompletedCommand,
  commands: readonly string[],
): string {
  const own = flags.flatMap((flag) =>
    valueCase(flag, flag.letter === undefined ? flag.flag : `${flag.flag} | -${flag.letter}`),
  );
  const all = flags.flatMap(({ flag, letter }) => [flag, ...(letter === undefined ? [] : [`-${letter}`])]);
  return `    ${[name, ...aliases].join(' | ')})
      case $flag in
${own.map((line) => `    ${line}`).join('\n')}
        *)
          if [[ $flag == --* ]] && ${takesOptions ? '_carpool_option "$flag"' : 'false'}; then
            :
          elif [[ $cur == -* ]]; then
            _carpool_words "${all.join(' ')}${takesOptions ? ' $options' : ''}" "$cur"
          else
            ${actionOf(operand === 'command' ? commands : operand)}
          fi
          ;;
      esac
      ;;`;
}

/** The case of a flag that a value follows. `cur` is that of `_carpool`, which calls it. */
function valueCase({ value }: CompletedFlag, pattern: string): string[] {
  return value === undefined ? [] : [`    ${pattern}) ${actionOf(value)} ;;`];
}

function actionOf(value: Completed | 'nothing' | 'text'): string {
  if (value === 'any' || value === 'nothing' || value === 'text') return ':';
  if (value === 'file') return '_carpool_paths -f "$cur"';
  if (value === 'folder') return '_carpool_paths -d "$cur"';
  if (value === 'model') return '_carpool_words "$(_carpool_models)" "$cur"';
  return `_carpool_words '${value.join(' ')}' "$cur"`;
}
