#include "models/formats/torch/script_archive.hpp"

#include <ATen/core/function.h>
#include <fmt/format.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/lexer.h>
#include <torch/csrc/jit/runtime/operator.h>

#include <set>

#include "core/error.hpp"
#include "core/pickle.hpp"
#include "core/text.hpp"
#include "core/zip_file.hpp"

namespace fercli {

namespace {

constexpr size_t kDeepestCode = 128;
constexpr size_t kLongestExpression = 256;  // words between two commas: LibTorch's parser recurses into an expression
constexpr size_t kMostNamed = 5;
constexpr const char* kOwnCode = "__torch__";  // names of the archive's own classes begin so

/// Builtins of the language that are no operators of `torch` or `ops`, and do more than compute.
const std::set<std::string>& refused_builtins() {
  static const std::set<std::string> words = {"print",     "fork",     "awaitable",  "awaitable_nowait",
                                              "rpc_async", "rpc_sync", "rpc_remote", "open",
                                              "eval",      "exec",     "import",     "__import__"};
  return words;
}

/// The base names of all operators of LibTorch that the allow-list does not have.
const std::set<std::string>& refused_operators() {
  static const std::set<std::string> names = [] {
    std::set<std::string> refused;
    for (const auto& registered : torch::jit::getAllOperators()) {
      const std::string name = registered->schema().name();
      const std::string base = name.substr(name.rfind(':') + 1);
      if (!is_tensor_operator("aten::" + base) && !is_tensor_operator("prim::" + base)) refused.insert(base);
    }
    return refused;
  }();
  return names;
}

/// The words of one file of code, as LibTorch's own lexer divides it.
class CodeCheck {
 public:
  explicit CodeCheck(CodeRule rule) : rule_(rule) {}

  void read(const std::string& code) {
    // A first look at the letters: the lexer itself believes that brackets close.
    require_flat(code);
    torch::jit::Lexer lexer(std::make_shared<torch::jit::Source>(code));
    size_t indents = 0, length = 0, alternatives = 0;
    for (; lexer.cur().kind != torch::jit::TK_EOF; lexer.next()) {
      const auto& token = lexer.cur();
      indents += token.kind == torch::jit::TK_INDENT ? 1 : 0;
      if (token.kind == torch::jit::TK_DEDENT && indents > 0) --indents;
      const bool divides =
          token.kind == ',' || token.kind == torch::jit::TK_NEWLINE || token.kind == torch::jit::TK_INDENT;
      length = divides ? 0 : length + 1;
      alternatives = token.kind == torch::jit::TK_ELIF  ? alternatives + 1
                     : token.kind == torch::jit::TK_DEF ? 0
                                                        : alternatives;
      if (indents > kDeepestCode || length > kLongestExpression || alternatives > kLongestExpression) {
        throw std::runtime_error("its code is nested too deeply");
      }
      visit(token);
    }
  }

  const std::set<std::string>& refused() const { return refused_; }

 private:
  static void require_flat(const std::string& code) {
    size_t depth = 0;
    for (const char letter : code) {
      if (letter == '(' || letter == '[' || letter == '{') ++depth;
      if ((letter == ')' || letter == ']' || letter == '}') && depth > 0) --depth;
      if (depth > kDeepestCode || letter == '\0') throw std::runtime_error("its code is nested too deeply");
    }
  }

  /// `before_` holds the names of "a.b.c" up to the dot.
  void visit(const torch::jit::Token& token) {
    if (rule_ == CodeRule::Anything) return;
    if (rule_ == CodeRule::Declarations &&
        (token.kind == torch::jit::TK_DEF || torch::jit::Token(token).text() == "lambda")) {
      refused_.insert("code");
    }
    if (token.kind == torch::jit::TK_IMPORT) return;  // names another file of the archive, or one that LibTorch ignores
    if (token.kind == '.') {
      after_dot_ = true;
      return;
    }
    // A variable of that name would have operators for members.
    if (!after_dot_ && before_.size() == 1 && before_[0] == kOwnCode) refused_.insert("a variable named __torch__");
    if (token.kind != torch::jit::TK_IDENT) {
      if (after_dot_) check_keyword(torch::jit::Token(token));
      before_.clear();
      after_dot_ = false;
      return;
    }
    const std::string word = torch::jit::Token(token).text();
    const bool member = after_dot_;
    if (!member) before_.clear();
    after_dot_ = false;
    member ? check_member(word) : check_name(word);
    before_.push_back(word);
  }

  /// "x.print" and the like, where the lexer sees a keyword.
  void check_keyword(torch::jit::Token token) {
    if (refused_operators().count(token.text()) > 0) refused_.insert(token.text());
  }

  void check_name(const std::string& word) {
    if (refused_builtins().count(word) > 0) refused_.insert(word == "print" ? "prim::Print" : word);
  }

  void check_member(const std::string& word) {
    const bool first = before_.size() == 1, second = before_.size() == 2;
    if (!before_.empty() && before_.back() == "torch" && word == "classes") {
      refused_.insert("torch.classes");
    } else if (first && before_[0] == "torch") {
      if (word != "device" && word != "Tensor" && !is_tensor_operator("aten::" + word))
        refused_.insert("aten::" + word);
    } else if (first && before_[0] == "ops") {
      if (word != "prim" && word != "aten") refused_.insert("ops." + word);
    } else if (second && before_[0] == "ops") {
      const std::string name = before_[1] + "::" + word;
      if (!is_tensor_operator(name)) refused_.insert(name);
    } else if ((before_.empty() || before_[0] != kOwnCode) && refused_operators().count(word) > 0) {
      refused_.insert("aten::" + word);
    }
  }

  CodeRule rule_;
  std::vector<std::string> before_;
  bool after_dot_ = false;
  std::set<std::string> refused_;
};

[[noreturn]] void refuse_code(const std::string& name, const std::set<std::string>& refused) {
  std::vector<std::string> some(refused.begin(), refused.end());
  const size_t more = some.size() > kMostNamed ? some.size() - kMostNamed : 0;
  some.resize(some.size() - more);
  throw UserError(fmt::format(
      "{}: its TorchScript needs {}{}, which may do more than compute with tensors (files, devices, output, "
      "objects of other libraries); --trust-code runs it, for files of people whom you trust",
      name, join(some, ", "), more > 0 ? fmt::format(" and {} more", more) : ""));
}

std::string root_of(const ZipFile& zip) {
  constexpr std::string_view kPickle = "data.pkl";
  std::string root;
  int found = 0;
  for (const auto& name : zip.names()) {
    const size_t slash = name.find('/');
    if (slash == std::string::npos || name.substr(slash + 1) != kPickle) continue;
    root = name.substr(0, slash + 1);
    ++found;
  }
  if (found != 1 || !zip.has(root + "constants.pkl")) throw std::runtime_error("is no archive of torch.jit.save");
  return root;
}

bool starts(const std::string& text, std::string_view beginning) {
  return text.compare(0, beginning.size(), beginning) == 0;
}

bool ends(const std::string& text, std::string_view ending) {
  return text.size() >= ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

/// What LibTorch needs; debugging records, mobile bytecode and the format of PyTorch 1.0 are left out.
bool is_needed(const std::string& entry) {
  static const std::set<std::string> known = {"data.pkl", "constants.pkl", "version", ".data/version", "byteorder"};
  return known.count(entry) > 0 || starts(entry, "data/") || starts(entry, "constants/") ||
         (starts(entry, "code/") && ends(entry, ".py"));
}

void check_pickle(const ZipFile& zip, const std::string& root, const std::string& folder, CodeRule rule) {
  PickleRecords records;
  records.size = [&](const std::string& record) { return zip.size(root + folder + "/" + record); };
  records.use = rule == CodeRule::Anything ? PickleRecords::Use::LibTorchTrusted : PickleRecords::Use::LibTorch;
  const Pickle pickle(zip.read(root + folder + ".pkl"), records);
}

}  // namespace

std::string checked_script_archive(const std::string& bytes, const std::string& name, CodeRule rule) {
  const ZipFile zip(bytes, name);
  const std::string root = root_of(zip);
  std::vector<std::pair<std::string, std::string>> entries;
  CodeCheck check(rule);
  for (const auto& entry : zip.names()) {
    if (!starts(entry, root) || !is_needed(entry.substr(root.size()))) continue;
    entries.emplace_back("archive/" + entry.substr(root.size()), zip.read(entry));
    if (ends(entry, ".py")) check.read(entries.back().second);
  }
  if (!check.refused().empty()) refuse_code(name, check.refused());
  check_pickle(zip, root, "data", rule);
  check_pickle(zip, root, "constants", rule);
  return make_zip(entries);
}

namespace {

void collect(const torch::jit::Block& block, std::set<std::string>& refused) {
  for (const torch::jit::Node* node : block.nodes()) {
    const std::string kind = node->kind().toQualString();
    if (!is_tensor_operator(kind)) refused.insert(kind);
    if (node->kind() == c10::prim::Constant && node->output()->type()->kind() == c10::TypeKind::DeviceObjType) {
      const c10::Device device = torch::jit::toIValue(node->output())->toDevice();
      if (!device.is_cpu() && !device.is_cuda()) refused.insert("the device " + device.str());
    }
    for (const torch::jit::Block* inner : node->blocks()) collect(*inner, refused);
  }
}

}  // namespace

void check_compiled(const torch::jit::Module& module, const std::string& name, CodeRule rule) {
  if (rule == CodeRule::Anything) return;
  std::set<std::string> refused;
  for (torch::jit::Function* function : module._ivalue()->compilation_unit()->get_functions()) {
    if (auto* graph = torch::jit::tryToGraphFunction(*function)) collect(*graph->graph()->block(), refused);
  }
  if (!refused.empty()) refuse_code(name, refused);
}

}  // namespace fercli
