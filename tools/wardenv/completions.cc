// SPDX-License-Identifier: Apache-2.0
// wardenv completions: made from the same table as the options.
#include <algorithm>
#include <cstdio>

#include "tools/wardenv/options.h"

namespace wardenv::cli {
namespace {

constexpr const char* kCommands = "run plan policy approvals audit doctor version completions";

std::string words(const OptionInfo& option) {
  std::string text = option.value;
  std::replace(text.begin(), text.end(), '|', ' ');
  return text;
}

std::string bash() {
  std::string names;
  std::string cases;
  for (const OptionInfo& option : run_options()) {
    names += std::string(option.name) + " ";
    const std::string head = std::string("    ") + option.name + ") ";
    if (option.takes == Takes::kChoice) cases += head + "COMPREPLY=($(compgen -W \"" + words(option) + "\" -- \"$word\")); return ;;\n";
    if (option.takes == Takes::kFolder) cases += head + "COMPREPLY=($(compgen -d -- \"$word\")); return ;;\n";
    if (option.takes == Takes::kFile) cases += head + "COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n";
  }
  return "# bash completion for wardenv\n_wardenv() {\n  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n  COMPREPLY=()\n"
         "  if [ \"$COMP_CWORD\" = 1 ]; then COMPREPLY=($(compgen -W \"" + std::string(kCommands) + "\" -- \"$word\")); return; fi\n"
         "  case $before in\n" + cases + "  esac\n"
         "  case ${COMP_WORDS[1]} in\n    run|plan) COMPREPLY=($(compgen -W \"" + names + "--\" -- \"$word\")) ;;\n"
         "    policy) if [ \"$COMP_CWORD\" = 2 ]; then COMPREPLY=($(compgen -W \"check explain test presets schema scan --help\" -- \"$word\"));\n"
         "      elif [[ $word == -* ]]; then COMPREPLY=($(compgen -W \"--json --tool --args --grant --session --workspace --cwd --help\" -- \"$word\"));\n"
         "      else COMPREPLY=($(compgen -f -- \"$word\")); fi ;;\n"
         "    approvals) COMPREPLY=($(compgen -W \"list show approve deny --all --json --as --yes --reason --config --help\" -- \"$word\")) ;;\n"
         "    doctor|version) COMPREPLY=($(compgen -W \"--json --help\" -- \"$word\")) ;;\n"
         "    audit) COMPREPLY=($(compgen -W \"show follow verify head --json --since --tool --run --last --head --folder --help\" -- \"$word\")) ;;\n"
         "    completions) COMPREPLY=($(compgen -W \"bash zsh fish\" -- \"$word\")) ;;\n  esac\n}\ncomplete -o default -F _wardenv wardenv\n";
}

std::string zsh() {
  std::string options;
  for (const OptionInfo& option : run_options()) {
    std::string help = option.help;
    std::replace_if(help.begin(), help.end(), [](char c) { return c == '[' || c == ']' || c == ':' || c == '\''; }, ' ');
    options += std::string("    '") + (option.repeatable ? "*" : "") + option.name + "[" + help + "]";
    if (option.takes == Takes::kChoice) options += ":value:(" + words(option) + ")";
    if (option.takes == Takes::kFolder) options += ":folder:_directories";
    if (option.takes == Takes::kFile) options += ":file:_files";
    if (option.takes == Takes::kText) options += ":value: ";
    options += "' \\\n";
  }
  return "#compdef wardenv\n_wardenv() {\n  if (( CURRENT == 2 )); then compadd " + std::string(kCommands) +
         "; return; fi\n  case $words[2] in\n  run|plan)\n    _arguments \\\n" + options +
         "    '*::command:_normal' ;;\n  policy) if (( CURRENT == 3 )); then compadd check explain test presets schema scan; else compadd -- --json --tool --args --grant --session "
         "--workspace --cwd --help; _files; fi ;;\n  approvals) compadd -- list show approve deny --all --json --as --yes --reason --config --help ;;\n  doctor|version) compadd -- --json --help ;;\n  audit) compadd -- show follow verify head --json --since --tool --run --last --head --folder --help ;;\n  completions) compadd bash zsh fish ;;\n  esac\n}\n_wardenv \"$@\"\n";
}

std::string fish() {
  std::string text = "# fish completion for wardenv\ncomplete -c wardenv -n __fish_use_subcommand -f -a '" + std::string(kCommands) + "'\n";
  for (const OptionInfo& option : run_options()) {
    std::string help = option.help;
    std::erase(help, '\'');
    text += "complete -c wardenv -n '__fish_seen_subcommand_from run plan' -l " + std::string(option.name).substr(2) + " -d '" + help + "'";
    if (option.takes == Takes::kChoice) text += " -x -a '" + words(option) + "'";
    if (option.takes == Takes::kText) text += " -x";
    if (option.takes == Takes::kFolder || option.takes == Takes::kFile) text += " -r";
    text += "\n";
  }
  return text + "complete -c wardenv -n '__fish_seen_subcommand_from policy' -a 'check explain test presets schema scan'\n"
                "complete -c wardenv -n '__fish_seen_subcommand_from policy' -l json -l tool -l args -l grant -l session -l workspace -l cwd\n"
                "complete -c wardenv -n '__fish_seen_subcommand_from approvals' -f -a 'list show approve deny'\n"
                "complete -c wardenv -n '__fish_seen_subcommand_from approvals' -l all -l json -l yes\n"
                "complete -c wardenv -n '__fish_seen_subcommand_from doctor version' -l json\n"
                "complete -c wardenv -n '__fish_seen_subcommand_from audit' -f -a 'show follow verify head'\n"
                "complete -c wardenv -n '__fish_seen_subcommand_from completions' -f -a 'bash zsh fish'\n";
}

}  // namespace

int completions_command(const Arguments& arguments) {
  const std::string shell = arguments.size() == 1 ? arguments[0] : "";
  const std::string text = shell == "bash" ? bash() : shell == "zsh" ? zsh() : shell == "fish" ? fish() : "";
  if (shell == "--help") return say("Usage: wardenv completions bash|zsh|fish\n\nExample: wardenv completions bash > /etc/bash_completion.d/wardenv");
  if (text.empty()) return complain({ErrorCode::kBadInput, "which shell?", "wardenv completions bash, zsh or fish", 0});
  return say(text);
}

}  // namespace wardenv::cli
