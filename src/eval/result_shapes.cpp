#include "eval/result_shapes.hpp"

namespace fercli {

nlohmann::json Shape<Metric>::schema() {
  using namespace shape;
  auto interval = list(number());
  interval["minItems"] = interval["maxItems"] = 2;
  return open_object({{"value", number()},
                      {"interval", described(interval, "95 %, from low to high; null where there is none")},
                      {"n", described(whole(), "of how many")}});
}

nlohmann::json options_schema() {
  using namespace shape;
  return map_of(object({{"value", text()}, {"source", described(text(), "command line, default or a file")}}));
}

nlohmann::json environment_schema() {
  using namespace shape;
  return object({{"version", text()},
                 {"revision", text()},
                 {"build", text()},
                 {"compiler", text()},
                 {"libtorch", text()},
                 {"cpu", text()},
                 {"instruction_set", text()},
                 {"threads", whole()}},
                {{"plug_ins", list(object({{"file", text()}, {"sha256", text()}}))}});
}

}  // namespace fercli
