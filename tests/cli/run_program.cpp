#include "tests/cli/run_program.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "core/command.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/reason.hpp"
#include "core/text.hpp"
#include "tests/schema_fault.hpp"

namespace fercli::test {

namespace {

using nlohmann::json;

/// The kind that a document says it is; "": it says nothing.
std::string kind_of(const json& document) {
  const auto says = document.is_object() ? document.value("schema", json()) : json();
  if (says.is_object() && says.value("name", "") == "fercli-result") return "result";
  for (const std::string name : {"report", "comparison"}) {
    if (says == "fercli-" + name + "/1") return name;
  }
  return says == "fercli model card" ? "model-card" : "";
}

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

void expect_written_document(const std::filesystem::path& path, const std::string& command) {
  if (!std::filesystem::is_regular_file(path) || path.extension() != ".json") return;
  const auto document = json::parse(read_file(path), nullptr, false);
  std::string kind = kind_of(document);
  if (path.filename() == "session.json" && command == "live") kind = "session";
  if (path.filename() == "run.json" && path.parent_path().filename() == "shards") kind = "shards";
  if (!kind.empty()) expect_document(kind, document, path.string());
}

/// What a command printed and wrote before it ended by itself fits its schemas.
void expect_fitting_documents(const std::vector<std::string>& arguments, const ProgramResult& result) {
  if (result.exit_code > 1) return;
  expect_printed_document(arguments, result);
  for (size_t i = 0; i + 1 < arguments.size(); ++i) {
    const std::filesystem::path path = arguments[i + 1];
    if (arguments[i] == "--jsonl" && result.exit_code == 0 && std::filesystem::is_regular_file(path))
      expect_session_lines(read_file(path), path.string());
    if (arguments[i] != "--out" && arguments[i] != "-o") continue;
    expect_written_document(path, arguments[0]);
    std::error_code error;  // where nothing was written
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path, error))
      expect_written_document(entry.path(), arguments[0]);
  }
}

}  // namespace

ProgramResult run_in_process(const std::vector<std::string>& arguments) {
  ProgramResult result{0, "", ""};
  std::string message;
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
  const auto result = run_program(FERCLI_PROGRAM, arguments, kill_when, signal_number);
  expect_fitting_documents(arguments, result);
  return result;
}

ProgramResult run_program(const std::string& program, const std::vector<std::string>& arguments,
                          const std::function<bool()>& kill_when, int signal_number) {
  const ScratchFolder folder;
  const std::string out = (folder / "out").string(), err = (folder / "err").string();
  const pid_t child = fork();
  if (child == 0) {
    const auto redirect = [](int descriptor, const std::string& file) {
      const int opened = open(file.c_str(), O_WRONLY | O_CREAT, 0600);
      if (opened < 0 || dup2(opened, descriptor) < 0) _exit(126);
    };
    redirect(STDOUT_FILENO, out);
    redirect(STDERR_FILENO, err);
    std::vector<char*> words{const_cast<char*>(program.c_str())};
    for (const auto& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    execv(program.c_str(), words.data());
    _exit(127);
  }
  if (child < 0) throw std::runtime_error("the program could not be started");
  int status = 0;
  bool pending = static_cast<bool>(kill_when);
  while (waitpid(child, &status, pending ? WNOHANG : 0) != child) {
    if (pending && kill_when()) {
      kill(child, signal_number);
      pending = false;
    }
    if (pending) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_file(out), read_file(err)};
}

}  // namespace fercli::test
