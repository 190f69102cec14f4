#include "commands/docs/completion.hpp"

namespace fercli {

std::map<std::string, std::string> completions() {
  return {{"bash-completion/completions/fercli", bash_completion()},
          {"zsh/vendor-completions/_fercli", zsh_completion()},
          {"fish/vendor_completions.d/fercli.fish", fish_completion()}};
}

}  // namespace fercli
