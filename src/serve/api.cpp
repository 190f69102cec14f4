#include "serve/api.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/base64.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/json_text.hpp"
#include "core/progress.hpp"
#include "core/reason.hpp"
#include "core/text.hpp"
#include "data/dataset.hpp"
#include "data/image.hpp"
#include "eval/campaign/faces.hpp"
#include "eval/measures/difference_picture.hpp"
#include "eval/measures/image_quality.hpp"
#include "serve/page_files.hpp"
#include "serve/upload.hpp"

namespace fercli {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDefaultGoal = "untargeted";
constexpr double kDefaultEps = 8 / 255.0;
constexpr int64_t kDefaultSteps = 20;

const std::map<std::string, std::string>& methods() {
  static const std::map<std::string, std::string> table{
      {"/", "GET"},       {"/page.js", "GET"}, {"/page.css", "GET"}, {"/openapi.json", "GET"}, {"/test", "GET"},
      {"/labels", "GET"}, {"/model", "GET"},   {"/metrics", "GET"},  {"/predict", "POST"},     {"/attack", "POST"}};
  return table;
}

std::string field(const ApiRequest& request, const std::string& name, const std::string& otherwise) {
  const auto found = request.fields.find(name);
  return found != request.fields.end() ? found->second : otherwise;
}

std::string language_of(const ApiRequest& request) {
  const std::string language = field(request, "lang", "en");
  if (language != "en" && language != "fr") throw RequestError(400, "lang must be en or fr");
  return language;
}

double number_field(const ApiRequest& request, const std::string& name, double otherwise) {
  const auto found = request.fields.find(name);
  if (found == request.fields.end()) return otherwise;
  try {
    return parse_number(found->second);
  } catch (const std::invalid_argument&) {
    throw RequestError(400, fmt::format("{} must be a number such as 8/255", name));
  }
}

double percent(double probability) {
  return std::round(probability * 1e6) / 1e4;
}

Json box_json(const Box& box) {
  return {{"x", std::lround(box.x)},
          {"y", std::lround(box.y)},
          {"w", std::lround(box.width)},
          {"h", std::lround(box.height)}};
}

/// Reads a JSON object of texts and numbers. Never builds a document: nested lists of a few bytes each would take a
/// hundred times as much memory.
class FlatObject : public nlohmann::json_sax<nlohmann::json> {
 public:
  /// Throws RequestError 400.
  explicit FlatObject(const std::string& body) {
    if (!nlohmann::json::sax_parse(body, this) || depth_ != 0 || !opened_) throw RequestError(400, complaint_);
  }

  std::map<std::string, std::string> fields;

  bool start_object(size_t) override { return std::exchange(opened_, true) ? nested() : ++depth_ == 1; }
  bool end_object() override { return --depth_ == 0; }
  bool start_array(size_t) override { return opened_ ? nested() : false; }
  bool end_array() override { return false; }
  bool key(string_t& name) override {
    name_ = std::move(name);
    return true;
  }
  bool string(string_t& text) override { return keep(std::move(text)); }
  bool number_integer(number_integer_t number) override { return keep(std::to_string(number)); }
  bool number_unsigned(number_unsigned_t number) override { return keep(std::to_string(number)); }
  bool number_float(number_float_t, const string_t& text) override { return keep(text); }
  bool null() override { return opened_; }
  bool boolean(bool) override { return opened_; }
  bool binary(binary_t&) override { return false; }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  bool keep(std::string text) {
    if (!opened_) return false;
    if (fields.size() >= kMostFields) {
      return complain(fmt::format("the JSON object has more than {} fields", kMostFields));
    }
    fields[name_] = std::move(text);
    return true;
  }

  bool nested() { return complain("the JSON object may hold texts and numbers only"); }

  bool complain(const std::string& sentence) {
    complaint_ = sentence;
    return false;  // ends the reading
  }

  static constexpr size_t kMostFields = 32;

  std::string name_, complaint_ = "the body is not a JSON object";
  int64_t depth_ = 0;
  bool opened_ = false;
};

/// JSON body {"image": base64 or data URL, other fields…}: the image's bytes, and the other fields into the request.
std::string image_of_json(ApiRequest& request) {
  FlatObject object(request.body);
  auto image = object.fields.extract("image");
  if (image.empty()) image = object.fields.extract("file");
  if (image.empty()) throw RequestError(400, "the JSON object needs \"image\": an image in base64");
  for (auto& [name, value] : object.fields) request.fields[name] = std::move(value);
  const std::string& text = image.mapped();
  const size_t comma = text.compare(0, 5, "data:") == 0 ? text.find(',') : std::string::npos;
  try {
    return decode_base64(std::string_view(text).substr(comma == std::string::npos ? 0 : comma + 1));
  } catch (const std::invalid_argument&) {
    throw RequestError(400, "the image is not valid base64");
  }
}

/// The bytes of the image, however it was sent.
std::string image_of(ApiRequest& request) {
  const std::string type = to_lower(trim(request.content_type.substr(0, request.content_type.find(';'))));
  if (type == "multipart/form-data") {
    if (!request.has_file) throw RequestError(400, "the form needs a field \"file\" with an image");
    return std::move(request.file);
  }
  if (type == "application/json") return image_of_json(request);
  if (type.empty() || type == "application/octet-stream" || type.compare(0, 6, "image/") == 0) {
    return std::move(request.body);
  }
  throw RequestError(415, "the body must be an image, a form with a file, or JSON with an image in base64");
}

AttackOrder order_of(const ApiRequest& request, const LabelSet& classes, int64_t most_steps) {
  AttackOrder order{{}, number_field(request, "eps", kDefaultEps), 0};
  const double steps = number_field(request, "steps", static_cast<double>(kDefaultSteps));
  order.steps = static_cast<int64_t>(steps);
  if (!(order.eps > 0 && order.eps <= 1)) throw RequestError(400, "eps must be in (0, 1]; pixels are in [0,1]");
  if (!(steps >= 1 && steps <= static_cast<double>(most_steps))) {
    throw RequestError(400, fmt::format("steps must be 1 to {}", most_steps));
  }
  try {
    order.goal = parse_emotion_goal(field(request, "goal", kDefaultGoal), classes);
  } catch (const UserError& error) {
    throw RequestError(400, fmt::format("goal: {}", error.what()));
  }
  return order;
}

std::string png_json(const torch::Tensor& image) {
  return encode_base64(encode_png(image));
}

size_t largest(const std::vector<Box>& boxes) {
  size_t best = 0;
  for (size_t i = 1; i < boxes.size(); ++i) {
    if (boxes[i].area() > boxes[best].area()) best = i;
  }
  return best;
}

Json norms_json(const torch::Tensor& x, const torch::Tensor& x_adv) {
  const double linf = distances(x_adv, x, Norm::Linf, true)[0].item<double>();
  const double noise = psnr(x, x_adv)[0].item<double>();
  return {{"linf_255", std::lround(linf * 255)},
          {"linf", linf},
          {"l2", distances(x_adv, x, Norm::L2, true)[0].item<double>()},
          {"psnr", std::isfinite(noise) ? Json(noise) : Json()}};
}

ApiAnswer page_answer(const std::string& name) {
  const PageFile* file = find_page_file(name);
  if (file == nullptr) throw RequestError(404, "there is nothing at this address");
  return {200, file->content_type, {reinterpret_cast<const char*>(file->data), file->size}};
}

std::string labels_json(const LabelSet& classes) {
  Json labels = Json::array();
  for (const auto& name : classes.names()) {
    const Emotion* emotion = find_emotion(name);
    labels.push_back(
        {{"name", name}, {"french", display_name(name, "fr")}, {"emoji", emotion != nullptr ? emotion->emoji : ""}});
  }
  return compact_json({{"labels", labels}});
}

std::string describe(const Checkpoint& checkpoint, const Classifier& classifier, const std::string& model) {
  const auto& input = classifier.preprocessing();
  return compact_json({{"model", std::filesystem::path(model).stem().string()},
                       {"arch", checkpoint.arch},
                       {"digest", checkpoint.digest},
                       {"classes", checkpoint.classes.names()},
                       {"precision", to_string(classifier.precision())},
                       {"input", {{"channels", input.channels}, {"size", input.size}}}});
}

}  // namespace

std::string error_json(const std::string& message) {
  return compact_json({{"error", message}});
}

Api::Api(const Checkpoint& checkpoint, ApiSettings settings)
    : classifier_(make_classifier(checkpoint, settings.runtime)),
      settings_(std::move(settings)),
      model_json_(describe(checkpoint, classifier_, settings_.model)),
      lanes_({settings_.lanes, settings_.detector, settings_.smallest_face, settings_.runtime, settings_.longest_queue,
              settings_.work_seconds}) {}

std::string Api::method_of(const std::string& path) {
  const auto found = methods().find(path);
  return found != methods().end() ? found->second : "";
}

bool Api::is_open(const std::string& path) {
  return path == "/" || path == "/page.js" || path == "/page.css" || path == "/test";
}

ApiAnswer Api::answer(ApiRequest request) {
  ApiAnswer answer;
  try {
    answer = dispatch(request);
  } catch (const RequestError& error) {
    answer = {error.status(), "application/json", error_json(error.what())};
  } catch (const Late&) {
    answer = {
        503, "application/json",
        error_json(fmt::format("the work on this request took longer than {:g} seconds", settings_.work_seconds))};
  } catch (const UserError& error) {
    answer = {400, "application/json", error_json(error.what())};
  } catch (const std::exception& error) {
    warn(fmt::format("{} {}: {}", request.method, request.path, reason_of(error)));
    answer = {500, "application/json", error_json("the server failed to work on this request")};
  }
  return answer;
}

ApiAnswer Api::dispatch(ApiRequest& request) {
  const std::string& path = request.path;
  const std::string allowed = method_of(path);
  if (allowed.empty()) throw RequestError(404, "there is nothing at this address");
  if (request.method != allowed && !(request.method == "HEAD" && allowed == "GET")) {
    throw RequestError(405, fmt::format("{} takes {} only", path, allowed));
  }
  if (path == "/predict") return predict(request);
  if (path == "/attack") return attack(request);
  if (path == "/test") return {200, "application/json", R"({"status":"ok"})"};
  if (path == "/labels") return {200, "application/json", labels_json(classifier_.classes())};
  if (path == "/model") return {200, "application/json", model_json_};
  if (path == "/metrics") {
    return {200, "text/plain; version=0.0.4; charset=utf-8",
            metrics_.text({{"queue_length", static_cast<double>(lanes_.waiting())},
                           {"resident_memory_bytes", resident_bytes()}})};
  }
  return page_answer(path == "/" ? "index.html" : path.substr(1));
}

nlohmann::ordered_json Api::verdict(const std::vector<double>& probabilities, const std::string& language) const {
  const LabelSet& classes = classifier_.classes();
  const int64_t best = top_of(probabilities);
  Json all;
  for (int64_t k = 0; k < classes.size(); ++k) {
    all[display_name(classes.name(k), language)] = percent(probabilities[static_cast<size_t>(k)]);
  }
  return {{"emotion", display_name(classes.name(best), language)},
          {"label", classes.name(best)},
          {"confidence", std::round(1000 * probabilities[static_cast<size_t>(best)]) / 10},
          {"probabilities", all}};
}

ApiAnswer Api::predict(ApiRequest& request) {
  const std::string bytes = image_of(request), language = language_of(request);
  Json predictions = Json::array();
  lanes_.run(request.path, [&](FaceDetector& detector) {
    const Picture picture = decode_upload(bytes, settings_.most_pixels);
    throw_if_late();
    const auto found = find_faces(picture, &detector, classifier_.preprocessing(), Detect::Auto);
    const auto readings = read_crops(classifier_, crop_faces(picture, found.squares, classifier_.preprocessing()));
    for (size_t i = 0; i < readings.size(); ++i) {
      Json prediction = verdict(readings[i], language);
      prediction["box"] = box_json(found.boxes[i]);
      predictions.push_back(prediction);
    }
  });
  metrics_.count_faces(predictions.size());
  return {200, "application/json",
          compact_json({{"faces_detected", predictions.size()}, {"predictions", predictions}})};
}

ApiAnswer Api::attack(ApiRequest& request) {
  const std::string bytes = image_of(request), language = language_of(request);
  const AttackOrder order = order_of(request, classifier_.classes(), settings_.most_steps);
  Json out{{"goal", order.goal.name}, {"eps", order.eps}};
  lanes_.run(request.path, [&](FaceDetector& detector) {
    const Picture picture = decode_upload(bytes, settings_.most_pixels);
    throw_if_late();
    const auto found = find_faces(picture, &detector, classifier_.preprocessing(), Detect::Auto);
    if (found.boxes.empty()) throw RequestError(422, "there is no face in the image");
    const size_t chosen = largest(found.boxes);
    out["box"] = box_json(found.boxes[chosen]);
    attack_crop(crop_faces(picture, {found.squares[chosen]}, classifier_.preprocessing()), order, language, out);
  });
  return {200, "application/json", compact_json(out)};
}

/// crop: uint8 (1,C,S,S). Adds both verdicts, the norms and the pictures to `out`.
void Api::attack_crop(const torch::Tensor& crop, const AttackOrder& order, const std::string& language,
                      nlohmann::ordered_json& out) {
  const auto before = read_crops(classifier_, crop)[0];
  const auto label = torch::tensor({top_of(before)});
  const bool concerned = order.goal.concerns(top_of(before));
  AttackedFaces attacked{crop, {}, 0, 0};
  if (concerned) {
    Trial trial;
    trial.attacks = {"pgd"};
    trial.ladder = {{"", order.eps}};
    trial.goal = order.goal;
    trial.settings.set("steps", order.steps);
    trial.seed = settings_.runtime.seed;
    attacked = attack_faces(classifier_, crop, label, trial);
    out["passes"] = {{"forward", attacked.forward}, {"backward", attacked.backward}};
  } else {
    attacked.verdict = judge_stored(classifier_, crop, order.goal.for_labels(label));
  }
  const auto stored = attacked.stored;
  const bool success = concerned && attacked.verdict.reached[0].item<bool>();
  if (concerned) metrics_.count_attack(success);
  out["attacked"] = concerned;
  out["success"] = success;
  out["original"] = verdict(before, language);
  out["adversarial"] = verdict(attacked.verdict.of(0), language);
  out["norms"] = norms_json(to_float(crop), to_float(stored));
  const int64_t factor = amplification(crop[0], stored[0]);
  out["images"] = {{"original", png_json(crop[0])},
                   {"adversarial", png_json(stored[0])},
                   {"perturbation", png_json(amplified_difference(crop[0], stored[0], factor))},
                   {"perturbation_factor", factor}};
}

}  // namespace fercli
