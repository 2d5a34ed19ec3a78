export const SHELLS = ["bash", "zsh", "fish"] as const;

export type Shell = (typeof SHELLS)[number];

export function isShell(name: string | undefined): name is Shell {
  return SHELLS.some((shell) => shell === name);
}

// Each script asks `kayactl __complete` on every press of Tab. The answer's first line says what the others are: `values`, `parts`
// (values that more follows, without a space), or `files` and `directories`, which the shell lists itself.

const BASH = `# kayactl completion for bash 4 or later: eval "$(kayactl completion bash)"
_kayactl() {
  local line kind=
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ -z $kind ]]; then kind=$line; else COMPREPLY+=("$line"); fi
  done < <(kayactl __complete bash "\${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" </dev/null 2>/dev/null)
  case $kind in
    parts) compopt -o nospace ;;
    files) compopt -o default ;;
    directories) compopt -o dirnames ;;
  esac
}
complete -F _kayactl kayactl
`;

const ZSH = `#compdef kayactl
# kayactl completion for zsh: eval "$(kayactl completion zsh)" behind compinit, or a file _kayactl in a directory of $fpath
_kayactl() {
  local line kind
  local -a lines values displays space
  lines=("\${(@f)$(kayactl __complete zsh "\${(@Q)words[1,CURRENT-1]}" "\${(Q)PREFIX}" </dev/null 2>/dev/null)}")
  kind=$lines[1]
  shift lines
  case $kind in
    files) _files; return ;;
    directories) _files -/; return ;;
    parts) space=(-S '') ;;
  esac
  for line in "\${(@)lines}"; do
    [[ -n $line ]] || continue
    values+=("\${line%%$'\\t'*}")
    displays+=("\${line/$'\\t'/  -- }")
  done
  (( $#values )) && compadd -l "\${(@)space}" -d displays -a values
}
if [[ \${funcstack[1]} == _kayactl ]]; then _kayactl "$@"; else compdef _kayactl kayactl; fi
`;

const FISH = `# kayactl completion for fish: kayactl completion fish > ~/.config/fish/completions/kayactl.fish
function __kayactl_complete
    set -l token (commandline -ct)
    set -l lines (kayactl __complete fish (commandline -opc) "$token" </dev/null 2>/dev/null)
    switch "$lines[1]"
        case files
            __fish_complete_path (commandline -ct)
        case directories
            __fish_complete_directories (commandline -ct)
        case values parts
            printf '%s\\n' $lines[2..]
    end
end
complete -c kayactl -f -a '(__kayactl_complete)'
`;

/** What a shell reads to complete command lines of kayactl. */
export function completionScript(shell: Shell): string {
  return { bash: BASH, zsh: ZSH, fish: FISH }[shell];
}
