import { OPTION_COMPLETIONS, type Completed, type CompletedCommand, type CompletedFlag } from './completed.ts';

/** A script for fish, for its folder of completions. */
export function fishScript(commands: readonly CompletedCommand[]): string {
  const names = commands.flatMap(({ name, aliases }) => [name, ...aliases]);
  const withOptions = commands.filter(({ takesOptions }) => takesOptions).flatMap(namesOf);
  return `# fish completion of carpool: carpool completion fish > ~/.config/fish/completions/carpool.fish
function __carpool_models
    set -l dir models
    set -q MODELS_DIR; and set dir $MODELS_DIR
    set -l words (commandline -opc)
    for i in (seq (count $words))
        switch $words[$i]
            case '--models-dir=*'
                set dir (string replace -- '--models-dir=' '' $words[$i])
            case --models-dir
                set -l next (math $i + 1)
                test $next -le (count $words); and set dir $words[$next]
        end
    end
    set dir (string replace -r '^~' $HOME -- $dir)
    for entry in $dir/*/ $dir/*.onnx
        string replace -r '/$' '' -- $entry | string replace -r '.*/' '' | string replace -r '\\.onnx$' ''
    end
end

function __carpool_first
    test (count (commandline -opc)) -eq 1
end

function __carpool_on
    set -l words (commandline -opc)
    test (count $words) -ge 2; and contains -- $words[2] $argv
end

complete -c carpool -f
${commands.flatMap((command) => commandLines(command, names)).join('\n')}
complete -c carpool -n __carpool_first -l version -d 'says which version this is'
${OPTION_COMPLETIONS.map((flag) => flagLine(flag, withOptions)).join('\n')}`;
}

function commandLines(command: CompletedCommand, commands: readonly string[]): string[] {
  const { summary, flags, operand } = command;
  const own = namesOf(command);
  const offered = operandWords(operand, commands);
  return [
    ...own.map((name) => `complete -c carpool -n __carpool_first -a ${name} -d '${summary.replaceAll("'", '')}'`),
    ...(offered === undefined ? [] : [`complete -c carpool -n '__carpool_on ${own.join(' ')}' ${offered}`]),
    ...flags.map((flag) => flagLine(flag, own)),
  ];
}

function namesOf({ name, aliases }: CompletedCommand): readonly string[] {
  return [name, ...aliases];
}

function operandWords(operand: CompletedCommand['operand'], commands: readonly string[]): string | undefined {
  if (operand === 'nothing' || operand === 'text') return undefined;
  return valueWords(operand === 'command' ? commands : operand);
}

function flagLine({ flag, letter, doc, value }: CompletedFlag, on: readonly string[]): string {
  const short = letter === undefined ? '' : ` -s ${letter}`;
  const words = value === undefined ? '' : ` -r${value === 'any' ? '' : ` ${valueWords(value)}`}`;
  return `complete -c carpool -n '__carpool_on ${on.join(' ')}' -l ${flag.slice(2)}${short}${words} -d '${doc}'`;
}

function valueWords(value: Exclude<Completed, 'any'>): string {
  if (value === 'file') return '-F';
  if (value === 'folder') return "-a '(__fish_complete_directories)'";
  if (value === 'model') return "-a '(__carpool_models)'";
  return `-a '${value.join(' ')}'`;
}
