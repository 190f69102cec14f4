#pragma once

#include <functional>
#include <string>

namespace fercli {

/// How much a notice matters. An error is the last one: the process ends at once, where nothing can be thrown.
enum class Notice { Information, Warning, Error };

using NoticeHandler = std::function<void(Notice kind, const std::string& line)>;

/// Who is given the notices of all code from here on; an empty one, as at the start: nobody. May be called from any
/// thread, and is called from the one where something happens.
void set_notice_handler(NoticeHandler handler);

void give_notice(Notice kind, const std::string& line);

/// One line of information: "… assumed …".
void inform(const std::string& line);

/// One line about what went wrong without ending the work.
void warn(const std::string& line);

/// The same for the first line of its kind in this process: for what thousands of files may have.
void warn_once(const std::string& kind, const std::string& line);

}  // namespace fercli
