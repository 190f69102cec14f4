#include "eval/result_shapes.hpp"

namespace fercli {

nlohmann::json interval_schema() {
  auto interval = shape::list(shape::number());
  interval["minItems"] = interval["maxItems"] = 2;
  return interval;
}

nlohmann::json Shape<Metric>::schema() {
  using namespace shape;
  return open_object({{"value", number()},
                      {"interval", described(interval_schema(), "95 %, from low to high; null where there is none")},
                      {"n", described(whole(), "of how many")}});
}

nlohmann::json levels_schema() {
  using namespace shape;
  return described(object({{"counts", text()}, {"at_most", whole()}, {"distance", number()}}),
                   "what 8-bit images make of eps");
}

shape::Members attacked_at() {
  using namespace shape;
  return {{"eps", text()},
          {"eps_value", number()},
          {"attack", described(open_object({{"name", text()}}), "and its settings")}};
}

nlohmann::json cost_schema() {
  using namespace shape;
  return object({{"forward", described(whole(), "images through the network")},
                 {"backward", described(whole(), "gradients of an image")},
                 {"seconds", number()}});
}

nlohmann::json reliability_schema() {
  using namespace shape;
  return list(open_object({{"low", share()},
                           {"high", share()},
                           {"confidence", described(number(), "mean of the bin; null: empty")},
                           {"accuracy", Shape<Metric>::schema()},
                           {"n", whole()}}));
}

nlohmann::json model_schema() {
  using namespace shape;
  return open_object({{"model", text()},
                      {"digest", text()},
                      {"arch", text()},
                      {"settings", open_object({})},
                      {"classes", list(text())},
                      {"preprocessing", open_object({})}},
                     {{"name", text()},
                      {"executor", text()},
                      {"precision", text()},
                      {"search_precision", text()},
                      {"verdict_precision", text()}});
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
                 {"threads", whole()}},
                {{"instruction_set", text()},  // cards written before it was recorded lack it
                 {"plug_ins", list(object({{"file", text()}, {"sha256", text()}}))}});
}

}  // namespace fercli
