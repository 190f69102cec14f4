#include "tests/cli/run_program.hpp"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "core/command.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/reason.hpp"
#include "core/text.hpp"
#include "tests/cli/run_request.hpp"
#include "tests/cli/surroundings.hpp"
#include "tests/cli/waiting_program.hpp"
#include "tests/schema_fault.hpp"

namespace fercli::test {

namespace {

using nlohmann::json;

void expect_session_lines(const std::string& text, const std::string& where) {
  for (const auto& line : split(text, '\n'))
    if (!line.empty()) expect_document("session-line", json::parse(line, nullptr, false), where);
}

/// A command that prints JSON prints a document that has a schema, or a list of such.
void expect_printed_document(const std::vector<std::string>& arguments, const ProgramResult& result) {
  const std::string where = join(arguments, " "), command = arguments[0];
  if (result.out.empty() || (result.out[0] != '{' && result.out[0] != '[') || command == "schema") return;
  const auto document = json::parse(result.out, nullptr, false);
  if (result.exit_code != 0 && document.is_discarded()) return;  // the disk was full
  if (command == "live") return expect_session_lines(result.out, where);
  if (document.is_array() && !document.empty() && !kind_of(document[0]).empty()) {
    for (const auto& one : document) expect_document(kind_of(one), one, where);
    return;
  }
  const std::string says = kind_of(document), part = arguments.size() > 1 ? "-" + arguments[1] : "";
  expect_document(!says.empty() ? says : command == "data" ? command + part : command, document, where);
}

/// JSON that fercli alone reads, and that has no kind: hidden files (which files of a folder are its own; what killed
/// runs left), entries of a report's cache (their values are in report.json too), and what a campaign is, which shards
/// compare.
bool is_internal(const std::filesystem::path& path) {
  const auto folder = path.parent_path();
  return path.filename().string()[0] == '.' || folder.filename() == "cache" || folder.filename() == "parts" ||
         (path.filename() != "run.json" && std::filesystem::exists(folder / "run.json"));
}

/// Every JSON that is written is a document of a kind that there is.
void expect_written_document(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path) || path.extension() != ".json" || is_internal(path)) return;
  const auto document = json::parse(read_file(path), nullptr, false);
  const std::string says = kind_of(document);
  expect_document(says.empty() ? path.filename().string() : says, document, path.string());
}

/// What a command printed and wrote before it ended by itself fits its schemas.
void expect_fitting_documents(const std::vector<std::string>& arguments, const ProgramResult& result) {
  if (result.exit_code > 1 || arguments.empty()) return;
  expect_printed_document(arguments, result);
  for (size_t i = 0; i + 1 < arguments.size(); ++i) {
    const std::filesystem::path path = arguments[i + 1];
    if (arguments[i] == "--jsonl" && result.exit_code == 0 && std::filesystem::is_regular_file(path))
      expect_session_lines(read_file(path), path.string());
    if (arguments[i] != "--out" && arguments[i] != "-o" && arguments[i] != "merge") continue;
    expect_written_document(path);
    std::error_code error;  // where nothing was written
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path, error))
      expect_written_document(entry.path());
  }
}

/// Where stdout and stderr of a run go.
class Files {
 public:
  explicit Files(const Surroundings& surroundings)
      : out(surroundings.out.empty() ? (folder_ / "out").string() : surroundings.out),
        err(surroundings.err.empty() ? (folder_ / "err").string() : surroundings.err) {}

  /// What they hold of a run that ended with this status of waitpid.
  ProgramResult result(int status) const {
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text_of("out"), text_of("err")};
  }

 private:
  std::string text_of(const char* name) const {
    return std::filesystem::exists(folder_ / name) ? read_file(folder_ / name) : "";
  }

  const ScratchFolder folder_;

 public:
  const std::string out, err;
};

int run_anew(const std::string& program, const RunRequest& request, const KillPlan& plan) {
  std::vector<std::string> words = request.arguments;
  words.insert(words.begin(), program);
  const auto pointers = pointers_to(words);
  const pid_t child = fork();
  if (child == 0) {
    settle_in(request.out.c_str(), request.err.c_str(), request.largest_file.c_str());
    execv(program.c_str(), pointers.data());
    _exit(127);
  }
  if (child < 0) throw std::runtime_error("the program could not be started");
  return status_of(child, plan, [child](bool at_once) -> std::optional<int> {
    int status = 0;
    if (waitpid(child, &status, at_once ? WNOHANG : 0) != child) return {};
    return status;
  });
}

}  // namespace

ProgramResult run_in_process(const std::vector<std::string>& arguments) {
  ProgramResult result{0, "", ""};
  std::string message;
  const int threads = at::get_num_threads();
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  try {
    result.exit_code = Registry<Command>::instance().get(arguments.at(0)).run({arguments.begin() + 1, arguments.end()});
  } catch (const UserError& error) {
    result.exit_code = 2;
    message = error.what();
  } catch (const Interrupted& error) {
    result.exit_code = 130;
    message = error.what();
  } catch (const std::exception& error) {
    result.exit_code = 1;
    message = reason_of(error);
  }
  at::set_num_threads(threads);  // a command without --threads takes all cores, which the next test has no use for
  std::fflush(stdout);
  result.out = testing::internal::GetCapturedStdout();
  result.err = testing::internal::GetCapturedStderr() + for_message(message);
  expect_fitting_documents(arguments, result);
  return result;
}

ScratchFolder::ScratchFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "fercli-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

ProgramResult run_fercli(const std::vector<std::string>& arguments, const std::function<bool()>& kill_when,
                         int signal_number) {
  return run_fercli(Surroundings{}, arguments, kill_when, signal_number);
}

ProgramResult run_fercli(const Surroundings& surroundings, const std::vector<std::string>& arguments,
                         const std::function<bool()>& kill_when, int signal_number) {
  const Files files(surroundings);
  const RunRequest request{files.out, files.err, surroundings.largest_file, arguments};
  const KillPlan plan{kill_when, signal_number};
  auto status = run_by_waiting_program(request, plan);
  if (!status) status = run_anew(FERCLI_PROGRAM, request, plan);
  const auto result = files.result(*status);
  expect_fitting_documents(arguments, result);
  return result;
}

ProgramResult run_program(const std::string& program, const std::vector<std::string>& arguments,
                          const std::function<bool()>& kill_when, int signal_number) {
  const Files files(Surroundings{});
  const auto result =
      files.result(run_anew(program, {files.out, files.err, "", arguments}, {kill_when, signal_number}));
  auto words = arguments;
  words.insert(words.begin(), program);
  const auto fercli = std::find(words.begin(), words.end(), FERCLI_PROGRAM);  // which mpirun or a shell may start
  if (fercli != words.end()) expect_fitting_documents({fercli + 1, words.end()}, result);
  return result;
}

}  // namespace fercli::test
