#include "commands/options/face_options.hpp"

#include <stdexcept>

#include "core/options.hpp"

namespace fercli {

void FaceOptions::declare(OptionSet& options, const std::string& detector_help, const std::string& smallest) {
  options.text("detector", &detector, "haar|FILE", detector_help);
  options.number("detector-threshold", &threshold_, "", above(0),
                 "from when on a find is a face: of YuNet its score, 0 to 1 (without it 0.7), of a cascade the number "
                 "of neighbouring hits (3); higher: fewer false alarms, more missed faces");
  options.number("min-face", &settings.smallest.pixels, "", at_least(24),
                 "smallest face looked for, in pixels; without it " + smallest);
  options.integer("max-faces", &settings.most, at_least(0), "only the largest so many faces of a picture; 0: all");
}

void FaceOptions::take(const OptionSet& options) {
  if (options.given("detector-threshold")) settings.threshold = threshold_;
}

void VideoOptions::declare(OptionSet& options, const std::string& every_help) {
  options.text("every", &every_, "TIME|N", every_help);
  options.text("from", &from_, "TIME", "where in the video to begin: 90, 90s, 1:30 or 0:01:30");
  options.text("to", &to_, "TIME", "where in the video to end");
}

void VideoOptions::take(const OptionSet& options) {
  try {
    if (options.given("every")) every = parse_sampling(every_);
  } catch (const std::invalid_argument&) {
    options.fail("every", "must be a time over 0 such as 1s or 0.5s, or a whole number of frames such as 5");
  }
  const auto take_time = [&](const char* name, const std::string& text) {
    try {
      return parse_time(text);
    } catch (const std::invalid_argument&) {
      options.fail(name, "must be a time such as 90, 90s, 1:30 or 0:01:30");
    }
  };
  if (options.given("from")) range.from = take_time("from", from_);
  if (!options.given("to")) return;
  range.to = take_time("to", to_);
  if (*range.to <= range.from) options.fail("to", "must be later than --from");
}

}  // namespace fercli
