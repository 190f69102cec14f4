// Files among the processes of a team. A message is one letter and what belongs to it. From a member: ? it waits for a
// block; + lines of its block; = its block is complete; ! text: it cannot go on. From the leader: F names: the files,
// first of all; B number, folder: a block; O: there are no more.
#include "commands/predict/shared_reading.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <sstream>
#include <string_view>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/notice.hpp"
#include "core/reason.hpp"
#include "core/text.hpp"
#include "live/video/video_source.hpp"

namespace fercli {

namespace {

constexpr size_t kPicturesOfABlock = 32, kBytesOfAMessage = size_t{1} << 16;
constexpr size_t kMostAhead = 256;     ///< blocks that may wait for one before them: each is an open file
constexpr double kReadingPause = 0.2;  ///< at whether Ctrl-C was pressed (seconds)

/// Text on the disk, which is gone with the program.
class Spool {
 public:
  Spool() : file_(std::tmpfile(), &std::fclose) {
    if (!file_) throw RunError("a temporary file cannot be made");
  }

  void append(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size()) {
      throw_lost();
    }
  }

  void each_line(const std::function<void(const std::string&)>& take) {
    if (std::fflush(file_.get()) != 0 || std::fseek(file_.get(), 0, SEEK_SET) != 0) {
      throw_lost();
    }
    std::string line;
    for (int letter = std::fgetc(file_.get()); letter != EOF; letter = std::fgetc(file_.get())) {
      if (letter != '\n') {
        line += static_cast<char>(letter);
        continue;
      }
      take(line);
      line.clear();
    }
    if (std::ferror(file_.get()) != 0 || !line.empty()) throw RunError("a temporary file cannot be read");
  }

 private:
  [[noreturn]] static void throw_lost() { throw RunError("a temporary file cannot be written (is the disk full?)"); }

  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

constexpr std::string_view kBehindName("\0", 1);  ///< the one letter that is in no file's name

std::vector<std::string> files_of(const std::string& names) {
  std::vector<std::string> files;
  std::istringstream stream(names);
  for (std::string file; std::getline(stream, file, kBehindName[0]);) files.push_back(file);
  return files;
}

class ReadingLeader {
 public:
  ReadingLeader(Team& team, const std::vector<std::string>& files, std::string folder)
      : team_(team),
        files_(files),
        blocks_(blocks_of(files)),
        folder_(std::move(folder)),
        most_ahead_(kMostAhead + team.members().size()) {
    for (size_t block = 0; block < blocks_.size(); ++block) left_.push_back(block);
  }

  void run(const std::function<void(const std::string&)>& take,
           const std::function<void(const FileBlock&)>& read_here) {
    while (due_ < blocks_.size()) {
      if (interrupted()) team_.interrupt();
      throw_if_interrupted();
      if (const auto block = complete_.find(due_); block != complete_.end()) {
        block->second->each_line(take);
        complete_.erase(block);
        ++due_;
        hand_out();
      } else if (team_.members().empty()) {
        if (!alone_) warn("no other process is left; this one reads the rest of the files");
        alone_ = true;
        read_here(blocks_[due_++]);
      } else {
        handle();
      }
    }
    for (const int64_t member : team_.members()) team_.send(member, "O");
  }

 private:
  void handle() {
    const auto message = team_.receive(kReadingPause);
    if (!message) return;
    const int64_t member = message->from;
    if (!message->text) return lose(member, message->reason);
    const std::string content = message->text->substr(1);
    switch (message->text->at(0)) {
      case '?':
        team_.send(member, "F" + join(files_, kBehindName));
        idle_.push_back(member);
        return hand_out();
      case '+':
        return busy_.at(member).second->append(content);
      case '=':
        complete_[busy_.at(member).first] = std::move(busy_.at(member).second);
        busy_.erase(member);
        idle_.push_back(member);
        return hand_out();
      default:
        throw RunError(content);
    }
  }

  /// To those that wait, as far as it may go. A block that comes back was near enough already.
  void hand_out() {
    while (!idle_.empty() && !left_.empty() && left_.front() < due_ + most_ahead_) {
      const int64_t member = idle_.front();
      team_.send(member, fmt::format("B{} {}", left_.front(), folder_));
      busy_[member] = {left_.front(), std::make_unique<Spool>()};
      idle_.pop_front();
      left_.pop_front();
    }
  }

  void lose(int64_t member, const std::string& why) {
    const auto work = busy_.find(member);
    const bool had_work = work != busy_.end();
    warn(fmt::format("{} {}{}", team_.name_of(member), why, had_work ? "; its files are read again by another" : ""));
    idle_.erase(std::remove(idle_.begin(), idle_.end(), member), idle_.end());
    if (!had_work) return;
    left_.push_front(work->second.first);
    busy_.erase(work);
    hand_out();
  }

  Team& team_;
  const std::vector<std::string>& files_;
  const std::vector<FileBlock> blocks_;
  std::string folder_;
  const size_t most_ahead_;  ///< all members may be busy, however many they are
  size_t due_ = 0;           ///< the next block for `take`
  std::deque<size_t> left_;
  std::deque<int64_t> idle_;
  std::map<int64_t, std::pair<size_t, std::unique_ptr<Spool>>> busy_;
  std::map<size_t, std::unique_ptr<Spool>> complete_;
  bool alone_ = false;
};

}  // namespace

std::vector<FileBlock> blocks_of(const std::vector<std::string>& files) {
  std::vector<FileBlock> blocks;
  bool open = false;
  for (size_t i = 0; i < files.size(); ++i) {
    const bool video = has_video_extension(files[i]);
    if (video || !open || blocks.back().size() >= kPicturesOfABlock) blocks.emplace_back();
    blocks.back().push_back(i);
    open = !video;
  }
  return blocks;
}

void lead_reading(Team& team, const std::vector<std::string>& files, const std::string& folder,
                  const std::function<void(const std::string&)>& take,
                  const std::function<void(const FileBlock&)>& read_here) {
  ReadingLeader(team, files, folder).run(take, read_here);
}

void end_reading(Team& team) {
  team.interrupt();
  const auto start = Clock::now();
  while (!team.members().empty() && seconds_since(start) < team.patience()) team.receive(kReadingPause);
}

void help_reading(Team& team,
                  const std::function<void(const std::vector<std::string>&, const FileBlock&, const std::string&,
                                           const std::function<void(const std::string&)>&)>& read) {
  std::vector<std::string> files;
  std::vector<FileBlock> blocks;
  std::string lines;
  const auto send_lines = [&] {
    if (!lines.empty()) team.send(0, "+" + lines);
    lines.clear();
  };
  const auto put = [&](const std::string& line) {
    lines += line + "\n";
    if (lines.size() >= kBytesOfAMessage) send_lines();
  };
  try {
    team.send(0, "?");
    for (;;) {
      throw_if_interrupted();
      const auto message = team.receive(kReadingPause);
      if (!message) continue;
      if (!message->text || message->text->at(0) == 'O') return;
      if (message->text->at(0) == 'F') {
        files = files_of(message->text->substr(1));
        blocks = blocks_of(files);
        continue;
      }
      const size_t gap = message->text->find(' ');
      const auto block = static_cast<size_t>(parse_integer(message->text->substr(1, gap - 1)));
      read(files, blocks.at(block), message->text->substr(gap + 1), put);
      send_lines();
      team.send(0, "=");
    }
  } catch (const Interrupted&) {
    throw;
  } catch (const std::exception& error) {
    team.send(0, "!" + reason_of(error));
  }
}

}  // namespace fercli
