#include "data/formats/writer.hpp"

namespace fercli {

const DatasetWriter& find_writer(const std::filesystem::path& destination, std::string_view format) {
  const auto& writers = Registry<DatasetWriter>::instance();
  if (!format.empty()) return writers.get(std::string(format));
  const std::string extension = to_lower(destination.extension().string());
  std::vector<std::string> known;
  for (const auto& writer : writers.all()) {
    if (writer.extension == extension) return writer;
    if (!writer.extension.empty()) known.push_back(writer.extension);
  }
  throw UserError(
      fmt::format("{}: no data format has the extension {} (known: {}; none means a folder); name it with --format",
                  destination.string(), extension, join(known, ", ")));
}

void write_dataset(const Dataset& data, const std::filesystem::path& destination, const std::string& format,
                   Observer& observer) {
  find_writer(destination, format).write(data, destination, observer);
}

}  // namespace fercli
