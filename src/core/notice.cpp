#include "core/notice.hpp"

#include <memory>
#include <mutex>
#include <set>

namespace fercli {

namespace {

std::mutex& mutex() {
  static std::mutex one;
  return one;
}

std::shared_ptr<const NoticeHandler>& handler() {
  static std::shared_ptr<const NoticeHandler> one;
  return one;
}

}  // namespace

void set_notice_handler(NoticeHandler given) {
  const std::lock_guard lock(mutex());
  handler() = std::make_shared<const NoticeHandler>(std::move(given));
}

void give_notice(Notice kind, const std::string& line) {
  std::shared_ptr<const NoticeHandler> now;
  {
    const std::lock_guard lock(mutex());
    now = handler();
  }
  if (now && *now) (*now)(kind, line);
}

void inform(const std::string& line) {
  give_notice(Notice::Information, line);
}

void warn(const std::string& line) {
  give_notice(Notice::Warning, line);
}

void warn_once(const std::string& kind, const std::string& line) {
  static std::set<std::string> given;
  {
    const std::lock_guard lock(mutex());
    if (!given.insert(kind).second) return;
  }
  warn(line);
}

}  // namespace fercli
