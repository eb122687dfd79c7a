#include "deploy/fleetctl/completion.h"

#include <CLI/CLI.hpp>

#include <vector>

#include "deploy/fleetctl/arguments.h"

namespace fleetctl {
namespace {

// The words are taken from the line itself: bash's own list is cut at each `=` and `:`, which
// selectors and image names have. For the same reason only what is behind the last of them may be
// offered. What a controller names stands on the line as it is, so `complete` offers plain words.
constexpr const char* kScript =
    R"bash(# Completion of fleetctl for bash:  source <(fleetctl completion bash)
_fleetctl() {
  local line=${COMP_LINE:0:COMP_POINT} words='' valued='' places='' path='' flag='' app='' word what
  local -a all=() offered=() place=()
  local -i at=0 i
  read -ra all <<<"$line"
  [[ $line == *[[:space:]] ]] && all+=('')
  local begun=${all[-1]}
  COMPREPLY=()
  _fleetctl_command ''
  for ((i = 1; i < ${#all[@]} - 1; i++)); do
    word=${all[i]}
    if [[ -n $flag ]]; then
      flag=''
    elif [[ $word == -* ]]; then
      [[ " $valued " == *" $word "* ]] && flag=$word
    elif ((at == 0)) && _fleetctl_command "${path:+$path }$word"; then
      path=${path:+$path }$word
    else
      ((at++ == 0)) && app=$word
    fi
  done
  read -ra place <<<"$places"
  what=${place[at]:-}
  case $flag in
    --to) what=selectors ;;
    --device | --name) what=devices ;;
    --group) what=groups ;;
    --release) what=releases ;;
    -*) return ;;
  esac
  if [[ -z $flag && ($begun == -* || ($at == 0 && -z $what)) ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$begun")
    return
  fi
  case $what in
    devices | selectors | groups | apps | releases | rollouts | catalog) ;;
    *) return ;;
  esac
  compopt +o default 2>/dev/null  # no file is a device
  mapfile -t offered < <("${all[0]}" complete --what "$what" ${app:+--app "$app"} \
    --begun "$begun" 2>/dev/null)
  local kept=''
  [[ $COMP_WORDBREAKS == *=* && $begun == *=* ]] && kept=${begun%"${begun##*=}"}
  for word in "${offered[@]}"; do COMPREPLY+=("${word#"$kept"}"); done
}
)bash";

// What stands in a command's place is known by its name in the help.
std::string place_of(const std::string& path, const std::string& name) {
  if (name == "APP") return "apps";
  if (name == "DEVICE" || (name == "NAME" && path.starts_with("device "))) return "devices";
  if (name == "NAME" && path.starts_with("catalog ")) return "catalog";
  if (name == "ID" && path.starts_with("rollout ")) return "rollouts";
  if (name == "RELEASE") return "releases";
  return "-";  // a file, or what only its writer knows
}

void add(std::string& list, const std::string& word) { list += (list.empty() ? "" : " ") + word; }

// One line for a command: its subcommands and flags, the flags that take a value, its places.
std::string case_of(const CLI::App& app, const std::string& path) {
  std::string words;
  std::string valued;
  std::string places;
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    if (!command->get_group().empty()) add(words, command->get_name());
  }
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      add(places, place_of(path, option->get_name(true)));
      continue;
    }
    for (const std::string& name : option->get_lnames()) add(words, "--" + name);
    if (option->get_items_expected_max() == 0) continue;
    for (const std::string& name : option->get_lnames()) add(valued, "--" + name);
    for (const std::string& name : option->get_snames()) add(valued, "-" + name);
  }
  return "    '" + path + "') words='" + words + "' valued='" + valued + " --context' places='" +
         places + "' ;;\n";
}

}  // namespace

std::string bash_completion() {
  std::string script = kScript;
  script += "_fleetctl_command() {\n  case $1 in\n";
  visit_commands([&script](const CLI::App& app, const std::string& path) {
    const bool hidden = !path.empty() && app.get_group().empty();
    if (!hidden) script += case_of(app, path);
  });
  script += "    *) return 1 ;;\n  esac\n}\ncomplete -o default -F _fleetctl fleetctl\n";
  return script;
}

}  // namespace fleetctl
