// cli/completion_command.cc: `volary completion SHELL`: the scripts that ask `volary __complete`.
#include "cli/completion.h"
#include "cli/session.h"

namespace volary {
namespace {

// Words are split at blanks only: readline's own splitting would also cut at ':' and '='.
constexpr std::string_view bash_script = R"bash(# bash completion for volary
_volary() {
  local line="${COMP_LINE:0:COMP_POINT}" words current out directive="" candidate
  read -ra words <<<"$line"
  [[ "$line" == *[[:space:]] ]] && words+=("")
  current="${words[-1]}"
  COMPREPLY=()
  while IFS=$'\t' read -r candidate _; do
    case "$candidate" in
      :files) directive=file ;;
      :directories) directive=directory ;;
      *) COMPREPLY+=("$candidate") ;;
    esac
  done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
  if [[ -n "$directive" ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -A "$directive" -- "$current")
    return
  fi
  [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *: ]] && compopt -o nospace 2>/dev/null
  local i cut
  for cut in : =; do
    [[ "$COMP_WORDBREAKS" == *$cut* && "$current" == *$cut* ]] || continue
    for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]="${COMPREPLY[i]#"${current%"$cut"*}$cut"}"; done
  done
}
complete -F _volary volary
)bash";

constexpr std::string_view zsh_script = R"zsh(#compdef volary
# zsh completion for volary
_volary() {
  local -a plain going
  local line candidate what directive=""
  while IFS= read -r line; do
    case "$line" in
      :files) directive=files; continue ;;
      :directories) directive=directories; continue ;;
    esac
    candidate="${line%%$'\t'*}"
    what="${line#*$'\t'}"
    [[ "$what" == "$line" ]] && what=""
    if [[ "$candidate" == *: ]]; then going+=("$candidate")
    else plain+=("${candidate//:/\\:}${what:+:$what}")
    fi
  done < <("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
  (( ${#going} )) && compadd -S '' -- "${going[@]}"
  (( ${#plain} )) && _describe 'volary' plain
  [[ "$directive" == files ]] && _files
  [[ "$directive" == directories ]] && _files -/
  return 0
}
if [[ "${funcstack[1]}" == _volary ]]; then _volary "$@"; else compdef _volary volary; fi
)zsh";

constexpr std::string_view fish_script = R"fish(# fish completion for volary
function __volary_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in ($words[1] __complete $words[2..-1] 2>/dev/null)
    switch $line
      case ':files'
        __fish_complete_path (commandline -ct)
      case ':directories'
        __fish_complete_directories (commandline -ct)
      case '*'
        echo $line
    end
  end
end
complete -c volary -f -a '(__volary_complete)'
)fish";

struct CompletionOptions {
  std::string shell;
};

int print_script(Session& session, const CompletionOptions& options) {
  session.output().text(completion_script(options.shell));
  return 0;
}

}  // namespace

std::string completion_script(const std::string& shell) {
  if (shell == "bash") return std::string(bash_script);
  if (shell == "zsh") return std::string(zsh_script);
  if (shell == "fish") return std::string(fish_script);
  throw Error(Errc::invalid, "'{}' is no shell: expected bash, zsh or fish", shell);
}

std::vector<Command> completion_commands() {
  return {make_command<CompletionOptions>(
      {.path = {"completion"},
       .summary = "print the script that lets a shell complete volary's words",
       .example = "source <(volary completion bash)\n"
                  "volary completion zsh > \"${fpath[1]}/_volary\"\n"
                  "volary completion fish > ~/.config/fish/completions/volary.fish"},
      [](CompletionOptions& options) -> std::vector<CommandField> {
        return {{.name = "SHELL", .target = &options.shell, .help = "for which shell", .value = {},
                 .need = Need::required, .choices = {"bash", "zsh", "fish"}}};
      },
      print_script)};
}

}  // namespace volary
