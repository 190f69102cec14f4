#include "models/formats/torch/script_archive.hpp"

#include <ATen/core/function.h>
#include <caffe2/serialize/inline_container.h>
#include <caffe2/serialize/istream_adapter.h>
#include <fmt/format.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/frontend/lexer.h>
#include <torch/csrc/jit/runtime/operator.h>
#include <torch/csrc/jit/serialization/import_read.h>
#include <torch/csrc/jit/serialization/import_source.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "core/error.hpp"
#include "core/notice.hpp"
#include "core/pickle.hpp"
#include "core/text.hpp"
#include "core/zip_file.hpp"

namespace fercli {

namespace {

constexpr size_t kDeepestCode = 128;
constexpr size_t kLongestExpression = 256;  // words between two commas: LibTorch's parser recurses into an expression
constexpr size_t kMostNamed = 5;
constexpr int kExitOfBadInput = 2;
constexpr const char* kOwnCode = "__torch__";                        // names of the archive's own classes begin so
constexpr const char* kForeignClasses = "__torch__.torch.classes.";  // of other libraries

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

/// Where a word of the code stands. What is outside of functions LibTorch works out while it loads, before the
/// instructions can be looked at.
class CodePlace {
 public:
  void enter(int kind) {
    if (kind == torch::jit::TK_DEF || kind == torch::jit::TK_CLASS_DEF) header_ = kind;
    if (kind == torch::jit::TK_INDENT) {
      blocks_.push_back(header_);
      header_ = 0;
    }
    if (kind == torch::jit::TK_DEDENT && !blocks_.empty()) blocks_.pop_back();
    if (kind == '(' || kind == '[' || kind == '{') ++brackets_;
    if ((kind == ')' || kind == ']' || kind == '}') && brackets_ > 0) --brackets_;
    const bool ends_default = header_ == 0 || brackets_ == 0 || (brackets_ == 1 && kind == ',');
    in_default_ = !ends_default && (in_default_ || (header_ == torch::jit::TK_DEF && kind == '='));
  }

  bool worked_out_while_loading() const { return in_default_ || (header_ == 0 && !in_function()); }
  bool of_file() const { return blocks_.empty(); }
  bool of_class() const { return header_ == 0 && !blocks_.empty() && blocks_.back() == torch::jit::TK_CLASS_DEF; }
  bool in_class_header() const { return header_ == torch::jit::TK_CLASS_DEF; }
  size_t depth() const { return blocks_.size(); }
  size_t brackets() const { return brackets_; }

 private:
  bool in_function() const { return std::find(blocks_.begin(), blocks_.end(), torch::jit::TK_DEF) != blocks_.end(); }

  std::vector<int> blocks_;  ///< what each open block belongs to: TK_DEF, TK_CLASS_DEF or 0
  int header_ = 0;           ///< TK_DEF or TK_CLASS_DEF up to its block, else 0
  size_t brackets_ = 0;
  bool in_default_ = false;
};

/// The members of classes. LibTorch reads the type of each, and the value of each list of names, without looking
/// whether it is there.
class MemberCheck {
 public:
  /// `place` is that of the token.
  void enter(const torch::jit::Token& token, const CodePlace& place) {
    using namespace torch::jit;
    if (token.kind == TK_CLASS_DEF) named_tuple_ = false;
    if (place.in_class_header() && token.kind == TK_IDENT && Token(token).text() == "NamedTuple") named_tuple_ = true;
    if (token.kind == TK_NEWLINE || token.kind == TK_INDENT || token.kind == TK_DEDENT) {
      check_end();
    } else if (place.of_class()) {
      if (name_.empty()) name_ = Token(token).text();
      if (place.brackets() == 0) {
        has_type_ = has_type_ || (token.kind == ':' && !has_value_);
        has_value_ = has_value_ || token.kind == '=';
      }
    }
  }

 private:
  void check_end() {
    static const std::set<std::string> lists = {"__parameters__", "__buffers__", "__annotations__", "__forward_hooks__",
                                                "__forward_pre_hooks__"};
    const bool is_list = !named_tuple_ && lists.count(name_) > 0;
    if ((is_list && !has_value_) || (!is_list && has_value_ && !has_type_)) {
      throw std::runtime_error("its code has a class with a member of no type or no value");
    }
    name_.clear();
    has_type_ = has_value_ = false;
  }

  bool named_tuple_ = false;                   ///< the class is one: all its members have types
  std::string name_;                           ///< the first word of the statement
  bool has_type_ = false, has_value_ = false;  ///< "name: type = value"
};

/// The words of one file of code, as LibTorch's own lexer divides it.
class CodeCheck {
 public:
  explicit CodeCheck(CodeRule rule) : rule_(rule) {}

  void read(const std::string& code) {
    // A first look at the letters: the lexer itself believes that brackets close.
    require_flat(code);
    place_ = {};
    MemberCheck members;
    texts_name_members_.clear();
    torch::jit::Lexer lexer(std::make_shared<torch::jit::Source>(code));
    size_t length = 0, alternatives = 0;
    bool imports = false;
    for (last_ = torch::jit::TK_NEWLINE; lexer.cur().kind != torch::jit::TK_EOF; lexer.next()) {
      const auto& token = lexer.cur();
      place_.enter(token.kind);
      members.enter(token, place_);
      const bool divides =
          token.kind == ',' || token.kind == torch::jit::TK_NEWLINE || token.kind == torch::jit::TK_INDENT;
      length = divides ? 0 : length + 1;
      alternatives = token.kind == torch::jit::TK_ELIF  ? alternatives + 1
                     : token.kind == torch::jit::TK_DEF ? 0
                                                        : alternatives;
      if (place_.depth() > kDeepestCode || length > kLongestExpression || alternatives > kLongestExpression) {
        throw std::runtime_error("its code is nested too deeply");
      }
      if (last_ == torch::jit::TK_CLASS_DEF && token.kind == torch::jit::TK_IDENT && place_.of_file())
        classes_.push_back(torch::jit::Token(token).text());
      if (token.kind == torch::jit::TK_IMPORT || token.kind == torch::jit::TK_NEWLINE)
        imports = token.kind == torch::jit::TK_IMPORT;
      visit(token);
      last_ = token.kind;
    }
    if (imports) throw std::runtime_error("its code ends in an import");  // whose line LibTorch reads for ever
  }

  /// The names of the classes in the file read last, which are forgotten.
  std::vector<std::string> take_classes() { return std::exchange(classes_, {}); }

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
    check_place(token.kind);
    check_getattr(token);
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
      owner_ = std::exchange(before_, {});
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

  /// Outside of functions stand types and literals, with `annotate(List[int], [])` for empty ones. What is called there
  /// would run before anybody has looked at it.
  void check_place(int kind) {
    using namespace torch::jit;
    static const std::set<int> plain = {TK_NUMBER, TK_STRINGLITERAL,
                                        TK_NONE,   TK_NONE_TYPE,
                                        TK_TRUE,   TK_FALSE,
                                        TK_IDENT,  TK_NEWLINE,
                                        TK_INDENT, TK_DEDENT,
                                        TK_IMPORT, TK_PASS,
                                        TK_DOTS,   '-',
                                        '[',       ']',
                                        '(',       ')',
                                        '{',       '}',
                                        ',',       ':',
                                        '=',       '.'};
    static const std::set<int> callable = {TK_IDENT, TK_STRINGLITERAL, ')', ']', '}'};
    static const std::set<std::vector<std::string>> harmless = {{"annotate"}, {"torch", "device"}};
    if (!place_.worked_out_while_loading()) return;
    const bool calls = kind == '(' && callable.count(last_) > 0 && harmless.count(before_) == 0;
    if (plain.count(kind) == 0 || calls) refused_.insert("code outside of functions");
  }

  /// `getattr(x, "name")` is `x.name`. LibTorch joins texts that stand side by side, and resolves escapes.
  void check_getattr(const torch::jit::Token& token) {
    while (!texts_name_members_.empty() && place_.brackets() < texts_name_members_.back())
      texts_name_members_.pop_back();
    if (after_getattr_) {
      if (token.kind != '(') refused_.insert("getattr without arguments");
      texts_name_members_.push_back(place_.brackets());
    }
    after_getattr_ = token.kind == torch::jit::TK_IDENT && torch::jit::Token(token).text() == "getattr";
    if (token.kind != torch::jit::TK_STRINGLITERAL || texts_name_members_.empty()) return;
    std::string text = torch::jit::Token(token).text();
    if (text.find('\\') != std::string::npos || last_ == torch::jit::TK_STRINGLITERAL)
      refused_.insert("getattr of a pieced name");
    text.erase(std::remove_if(text.begin(), text.end(), [](char letter) { return letter == '"' || letter == '\''; }),
               text.end());
    before_ = last_ == ',' ? owner_ : std::vector<std::string>();
    check_member(text);
    before_.clear();
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
  CodePlace place_;
  int last_ = 0;                             ///< the kind of the token before
  std::vector<std::string> before_, owner_;  ///< `owner_`: what `before_` was in front of the last sign
  bool after_dot_ = false, after_getattr_ = false;
  std::vector<size_t> texts_name_members_;  ///< the depth inside each open getattr
  std::vector<std::string> classes_;
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

void collect(const torch::jit::Block& block, std::set<std::string>& refused) {
  for (const torch::jit::Node* node : block.nodes()) {
    const std::string kind = node->kind().toQualString();
    if (!is_tensor_operator(kind)) refused.insert(kind);
    if (node->kind() == c10::prim::Constant && node->output()->type()->kind() == c10::TypeKind::DeviceObjType) {
      const c10::Device device = torch::jit::toIValue(node->output())->toDevice();
      if (!device.is_cpu() && !device.is_cuda()) refused.insert("the device " + device.str());
    }
    for (const torch::jit::Value* output : node->outputs()) {
      const auto type = output->type()->cast<c10::NamedType>();
      if (type && type->name() && starts(type->name()->qualifiedName(), kForeignClasses))
        refused.insert("torch.classes");
    }
    for (const torch::jit::Block* inner : node->blocks()) collect(*inner, refused);
  }
}

/// What an archive's code says: its files by what LibTorch calls them ("__torch__.net"), and all classes in them.
struct ArchiveCode {
  std::map<std::string, std::string> files;
  std::vector<std::string> classes;

  void add(const std::string& entry, const std::string& code, const std::vector<std::string>& classes_of_it) {
    constexpr std::string_view kFolder = "code/", kEnding = ".py";
    std::string file = entry.substr(kFolder.size(), entry.size() - kFolder.size() - kEnding.size());
    // LibTorch looks for "a.b" in code/a/b.py alone.
    if (file.find('.') != std::string::npos) throw std::runtime_error("has code in a file of an impossible name");
    std::replace(file.begin(), file.end(), '/', '.');
    files[file] = code;
    for (const auto& name : classes_of_it) classes.push_back(fmt::format("{}.{}", file, name));
  }
};

/// Looks at the instructions that LibTorch makes of the code, in all methods of all classes and the functions that they
/// call. Nothing of them runs: outside of functions is nothing that could.
std::set<std::string> refused_instructions(const std::string& archive, const ArchiveCode& code) {
  std::istringstream stream(archive);
  caffe2::serialize::PyTorchStreamReader reader(std::make_unique<caffe2::serialize::IStreamAdapter>(&stream));
  const auto constants = torch::jit::readArchiveAndTensors("constants", "", "", {}, {}, {}, reader).toTuple();
  const std::vector<c10::IValue> table = constants->elements().vec();
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const torch::jit::SourceImporter importer(
      unit, &table,
      [&](const std::string& file) {
        const auto found = code.files.find(file);
        return found == code.files.end() ? nullptr : std::make_shared<torch::jit::Source>(found->second, file, 1);
      },
      reader.version());
  for (const auto& name : code.classes) importer.loadType(name);
  std::set<std::string> refused;
  for (torch::jit::Function* function : unit->get_functions()) {
    if (auto* graph = torch::jit::tryToGraphFunction(*function)) collect(*graph->graph()->block(), refused);
  }
  return refused;
}

/// LibTorch leaves a division of whole numbers by zero to the processor, which ends the program, while it loads code
/// and while it runs it. The signal comes from the dividing thread itself, which holds none of what is called here.
void end_in_one_sentence_where_zero_divides() {
#ifndef __SANITIZE_ADDRESS__  // which says more
  static const bool done = [] {
    struct sigaction action = {};
    action.sa_handler = [](int) {
      give_notice(Notice::Error, "the TorchScript network divides a whole number by zero");
      std::_Exit(kExitOfBadInput);
    };
    return ::sigaction(SIGFPE, &action, nullptr) == 0;
  }();
  static_cast<void>(done);
#endif
}

}  // namespace

std::string checked_script_archive(const std::string& bytes, const std::string& name, CodeRule rule) {
  const ZipFile zip(bytes, name);
  const std::string root = root_of(zip);
  std::vector<std::pair<std::string, std::string>> entries;
  CodeCheck check(rule);
  ArchiveCode code;
  for (const auto& path : zip.names()) {
    if (!starts(path, root) || !is_needed(path.substr(root.size()))) continue;
    const std::string entry = path.substr(root.size());
    entries.emplace_back("archive/" + entry, zip.read(path));
    if (!ends(entry, ".py")) continue;
    check.read(entries.back().second);
    code.add(entry, entries.back().second, check.take_classes());
  }
  if (!check.refused().empty()) refuse_code(name, check.refused());
  end_in_one_sentence_where_zero_divides();
  check_pickle(zip, root, "data", rule);
  check_pickle(zip, root, "constants", rule);
  std::string archive = make_zip(entries);
  if (rule != CodeRule::TensorOperators) return archive;
  std::set<std::string> refused;
  try {
    refused = refused_instructions(archive, code);
  } catch (const std::exception&) {  // whose text is LibTorch's and the file's
    refuse_damaged_script(name);
  }
  if (!refused.empty()) refuse_code(name, refused);
  return archive;
}

void refuse_damaged_script(const std::string& name) {
  throw UserError(fmt::format("{}: its TorchScript is damaged, or needs another version of LibTorch", name));
}

}  // namespace fercli
