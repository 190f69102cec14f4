#include "tests/cli/run_program.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
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
#include "record/document_kind.hpp"
#include "tests/schema_fault.hpp"

namespace fercli::test {

namespace {

/// The schema of a document by what it says of itself, or by its name; null: it has none.
nlohmann::json schema_of(const std::filesystem::path& path, const nlohmann::json& document) {
  std::string kind;
  const auto says = document.is_object() ? document.value("schema", nlohmann::json()) : nlohmann::json();
  if (says.is_object() && says.value("name", "") == "fercli-result") kind = "result";
  for (const std::string name : {"report", "comparison"}) {
    if (says == "fercli-" + name + "/1") kind = name;
  }
  if (path.parent_path().filename() == "shards" && path.filename() == "run.json") kind = "shards";
  return kind.empty() ? nlohmann::json() : schema_document(Registry<DocumentKind>::instance().get(kind));
}

void expect_fitting(const std::filesystem::path& path, const std::string& text) {
  const auto document = nlohmann::json::parse(text, nullptr, false);
  const auto schema = schema_of(path, document);
  if (schema.is_null()) return;
  EXPECT_EQ(schema_fault(schema, document), "") << path;
}

/// What a successful command printed and wrote fits its schemas.
void expect_fitting_documents(const std::vector<std::string>& arguments, const ProgramResult& result) {
  if (result.exit_code != 0) return;
  if (!result.out.empty() && result.out[0] == '{') expect_fitting("stdout", result.out);
  const auto option = std::find_if(arguments.begin(), arguments.end(),
                                   [](const std::string& word) { return word == "--out" || word == "-o"; });
  if (option == arguments.end() || option + 1 == arguments.end()) return;
  std::error_code error;  // where --out names a file, or nothing was written
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*(option + 1), error)) {
    if (!entry.is_regular_file() || entry.path().extension() != ".json") continue;
    expect_fitting(entry.path(), read_file(entry.path()));
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
