#include "serve/api.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/base64.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/json_text.hpp"
#include "core/notice.hpp"
#include "core/reason.hpp"
#include "core/text.hpp"
#include "record/box_shape.hpp"
#include "serve/api_description.hpp"
#include "serve/face_attack.hpp"
#include "serve/routes.hpp"
#include "serve/samples.hpp"

namespace fercli {

namespace {

using nlohmann::json;
using Json = nlohmann::ordered_json;

constexpr const char* kEveryFace = "all";

/// A field that is misspelt must not be left at its default in silence.
void refuse_unknown(const std::string& path, const std::string& name) {
  const auto& known = Api::routes().at(path).fields;
  if (known.count(name) > 0) return;
  const std::vector<std::string> names(known.begin(), known.end());
  throw RequestError(400, fmt::format("unknown field '{}'{}; {} takes an image, {}", shown_name(name),
                                      did_you_mean(to_lower(name), names), path, join(names, ", ")));
}

std::string field(const ApiRequest& request, const std::string& name, const std::string& otherwise) {
  const auto found = request.fields.find(name);
  return found != request.fields.end() ? found->second : otherwise;
}

std::string language_of(const ApiRequest& request) {
  std::string language = field(request, "lang", "en");
  if (language != "en" && language != "fr") throw RequestError(400, "lang must be en or fr");
  return language;
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
  std::set<std::string> nulls;  ///< names of fields that are null, which is as good as not given

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
  bool null() override {
    nulls.insert(name_);
    return opened_ && nulls.size() <= kMostFields;
  }
  bool boolean(bool) override { return opened_ ? nested() : false; }
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
  for (const auto& name : object.nulls) refuse_unknown(request.path, name);
  for (auto& [name, value] : object.fields) request.fields[name] = std::move(value);
  const std::string& text = image.mapped();
  const size_t comma = text.compare(0, 5, "data:") == 0 ? text.find(',') : std::string::npos;
  try {
    return decode_base64(std::string_view(text).substr(comma == std::string::npos ? 0 : comma + 1));
  } catch (const std::invalid_argument&) {
    throw RequestError(400, "the image is not valid base64");
  }
}

/// The images, however they were sent: one, or those of a form.
std::vector<FormFile> images_of(ApiRequest& request) {
  const std::string type = to_lower(trim(request.content_type.substr(0, request.content_type.find(';'))));
  if (type == "application/json") {
    std::string image = image_of_json(request);
    for (const auto& [name, value] : request.fields) refuse_unknown(request.path, name);
    return {{"", std::move(image)}};
  }
  for (const auto& [name, value] : request.fields) refuse_unknown(request.path, name);
  if (type == "multipart/form-data") {
    if (request.files.empty()) throw RequestError(400, "the form needs a field \"file\" with an image");
    return std::move(request.files);
  }
  if (type.empty() || type == "application/octet-stream" || type.compare(0, 6, "image/") == 0) {
    return {{"", std::move(request.body)}};
  }
  throw RequestError(415, "the body must be an image, a form with a file, or JSON with an image in base64");
}

/// The bytes of the one image that an attack takes.
std::string image_of(ApiRequest& request) {
  auto images = images_of(request);
  if (images.size() == 1) return std::move(images.front().bytes);
  throw RequestError(
      400, fmt::format("{} takes one file, and the form has {}; /predict takes several", request.path, images.size()));
}

size_t largest(const std::vector<Detection>& faces) {
  size_t best = 0;
  for (size_t i = 1; i < faces.size(); ++i) {
    if (faces[i].box.area() > faces[best].box.area()) best = i;
  }
  return best;
}

/// The faces that the field "face" means, by their places from left to right.
std::vector<size_t> wanted_faces(const ApiRequest& request, const FoundFaces& found) {
  if (found.faces.empty()) throw RequestError(422, "there is no face in the image");
  const std::string text = to_lower(trim(field(request, "face", "")));
  std::vector<size_t> places;
  if (text == kEveryFace) {
    for (size_t i = 0; i < found.faces.size(); ++i) places.push_back(i);
    return places;
  }
  if (text.empty()) return {largest(found.faces)};
  int64_t number = 0;
  try {
    number = parse_integer(text);
  } catch (const std::invalid_argument&) {
  }
  if (number < 1) throw RequestError(400, "face must be a number from 1, counted from left to right, or all");
  if (number > static_cast<int64_t>(found.faces.size())) {
    throw RequestError(422, fmt::format("face {}: the image has {} {}", number, found.faces.size(),
                                        found.faces.size() == 1 ? "face" : "faces"));
  }
  return {static_cast<size_t>(number - 1)};
}

/// What one network says of these squares of a picture.
std::vector<Json> read_squares(const ServedModel& model, const Picture& picture, const std::vector<Box>& squares,
                               const std::string& language) {
  std::vector<Json> verdicts;
  const auto crops = crop_faces(picture, squares, model.classifier.preprocessing());
  for (const auto& reading : read_crops(model.classifier, crops)) {
    verdicts.push_back(write_record(verdict_of(model.classifier.classes(), reading, language)));
  }
  return verdicts;
}

/// What an answer about an attack repeats of the request.
Json order_json(const AttackOrder& order) {
  Json out{{"model", order.model->name}, {"goal", order.goal.name}, {"attack", order.attack}};
  if (order.steps > 0) out["steps"] = order.steps;
  return out;
}

/// One face alone, or {"faces": […]} where every face was asked for.
Json joined_faces(Json head, const ApiRequest& request, const std::vector<Json>& faces) {
  if (to_lower(trim(field(request, "face", ""))) == kEveryFace) {
    head["faces"] = faces;
  } else {
    head.update(faces.front());
  }
  return head;
}

ApiAnswer page_answer(const std::string& path) {
  const PageFile* file = page_file_at(path);  // there is one: the route was checked
  return {200, file->content_type, {reinterpret_cast<const char*>(file->data), file->size}};
}

ApiAnswer description_answer(Api& /*api*/, ApiRequest& /*request*/) {
  static const std::string text = describe_api();
  return {200, "application/json", text};
}

ApiAnswer json_answer(const Json& body) {
  return {200, "application/json", compact_json(body)};
}

}  // namespace

std::string error_json(const std::string& message) {
  return compact_json({{"error", message}});
}

Api::Api(const Checkpoint& checkpoint, ApiSettings settings)
    : Api(std::vector<NamedCheckpoint>{{settings.model, checkpoint}}, settings) {}

Api::Api(const std::vector<NamedCheckpoint>& checkpoints, ApiSettings settings)
    : models_(checkpoints, settings.runtime),
      settings_(std::move(settings)),
      lanes_({settings_.lanes, settings_.detector, settings_.smallest_face, settings_.runtime, settings_.longest_queue,
              settings_.work_seconds}) {}

ApiAnswer Api::answer(ApiRequest request) {
  try {
    return dispatch(request);
  } catch (...) {
    const RequestError refusal = refusal_of(std::current_exception(), request);
    return {refusal.status(), "application/json", error_json(refusal.what())};
  }
}

/// What the server says of what the work on a request threw.
RequestError Api::refusal_of(const std::exception_ptr& failure, const ApiRequest& request) const {
  try {
    std::rethrow_exception(failure);
  } catch (const RequestError& error) {
    return error;
  } catch (const Late&) {
    return RequestError(503,
                        fmt::format("the work on this request took longer than {:g} seconds", settings_.work_seconds));
  } catch (const UserError& error) {
    return RequestError(400, error.what());
  } catch (const std::exception& error) {
    warn(fmt::format("{} {}: {}", request.method, request.path, reason_of(error)));
    return RequestError(500, "the server failed to work on this request");
  }
}

ApiAnswer Api::dispatch(ApiRequest& request) {
  check_route(request.path, request.method);
  const auto found = routes().find(request.path);
  return found != routes().end() ? found->second.answer(*this, request) : page_answer(request.path);
}

const std::map<std::string, Api::Route>& Api::routes() {
  const auto alive = [](Api&, ApiRequest&) -> ApiAnswer { return {200, "application/json", R"({"status":"ok"})"}; };
  static const std::map<std::string, Route> table{
      {"/predict", {"POST", [](Api& api, ApiRequest& request) { return api.predict(request); }, {"lang", "model"}}},
      {"/attack",
       {"POST",
        [](Api& api, ApiRequest& request) { return api.attack(request); },
        {"lang", "model", "goal", "eps", "attack", "steps", "face"}}},
      {"/smallest",
       {"POST",
        [](Api& api, ApiRequest& request) { return api.smallest(request); },
        {"lang", "model", "goal", "attack", "steps", "face"}}},
      {"/models", {"GET", [](Api& api, ApiRequest&) { return api.models(); }}},
      {"/samples", {"GET", [](Api& api, ApiRequest&) { return api.samples(); }}},
      {"/labels",
       {"GET",
        [](Api& api, ApiRequest&) {
          return json_answer({{"labels", labels_of(api.models_.first().classifier.classes())}});
        }}},
      {"/model", {"GET", [](Api& api, ApiRequest&) { return json_answer(describe_served(api.models_.first())); }}},
      {"/metrics", {"GET", [](Api& api, ApiRequest&) { return api.counters(); }}},
      {kApiDescription, {"GET", description_answer}},
      {"/test", {"GET", alive, {}, true}},
      {"/healthz", {"GET", alive, {}, true}},
      {"/readyz", {"GET", [](Api& api, ApiRequest&) { return api.readiness(); }, {}, true}}};
  return table;
}

ApiAnswer Api::counters() const {
  return {200, "text/plain; version=0.0.4; charset=utf-8",
          metrics_.text(
              {{"queue_length", static_cast<double>(lanes_.waiting())}, {"resident_memory_bytes", resident_bytes()}})};
}

ApiAnswer Api::models() const {
  Json list = Json::array();
  for (const auto& model : models_.all()) {
    Json facts = describe_served(model);
    facts["labels"] = labels_of(model.classifier.classes());
    list.push_back(facts);
  }
  return json_answer({{"models", list},
                      {"attacks", offered_attacks()},
                      {"limits", {{"pixels", settings_.most_pixels}, {"steps", settings_.most_steps}}},
                      {"confidence_unit", kConfidenceUnit}});
}

ApiAnswer Api::samples() {
  lanes_.run("/samples", [&](FaceDetector&) {
    const std::lock_guard lock(samples_mutex_);
    if (samples_json_.empty()) samples_json_ = sample_faces_json(models_.first().classifier);
  });
  return {200, "application/json", samples_json_};
}

/// 503 while work would be turned away, so that a proxy sends it elsewhere.
ApiAnswer Api::readiness() const {
  if (stopping_) throw RequestError(503, "the server is stopping");
  if (!lanes_.takes("/predict")) throw RequestError(503, "the server is busy, try again");
  return json_answer({{"status", "ready"}, {"waiting", lanes_.waiting()}, {"workers", lanes_.count()}});
}

/// {"faces_detected", "predictions"} of one picture.
Json Api::read_picture(const std::string& bytes, const std::vector<const ServedModel*>& chosen,
                       const std::string& language, FaceDetector& detector) const {
  const Picture picture = decode_upload(bytes, settings_.most_pixels);
  throw_if_late();
  const auto found = find_faces(picture, &detector, chosen.front()->classifier.preprocessing(), Detect::Auto);
  std::vector<std::vector<Json>> verdicts;  // of each network, of each face
  verdicts.reserve(chosen.size());
  for (const ServedModel* model : chosen) verdicts.push_back(read_squares(*model, picture, found.squares, language));
  Json predictions = Json::array();
  for (size_t i = 0; i < found.faces.size(); ++i) {
    Json prediction = verdicts.front()[i];
    prediction["box"] = Shape<Box>::write(found.faces[i].box);
    prediction["square"] = Shape<Box>::write(found.squares[i]);
    for (size_t m = 0; chosen.size() > 1 && m < chosen.size(); ++m) {
      prediction["verdicts"][chosen[m]->name] = verdicts[m][i];
    }
    predictions.push_back(prediction);
  }
  return {{"faces_detected", predictions.size()}, {"predictions", predictions}};
}

ApiAnswer Api::predict(ApiRequest& request) {
  const auto images = images_of(request);
  const std::string language = language_of(request);
  const auto chosen = models_.chosen(field(request, "model", ""));
  std::vector<Json> pictures(images.size());
  std::vector<Lanes::Work> works;
  for (size_t i = 0; i < images.size(); ++i) {
    works.emplace_back(
        [&, i](FaceDetector& detector) { pictures[i] = read_picture(images[i].bytes, chosen, language, detector); });
  }
  const auto failures = lanes_.run_all(request.path, works);
  if (images.size() == 1 && failures[0] != nullptr) std::rethrow_exception(failures[0]);
  for (size_t i = 0; i < images.size(); ++i) {
    if (failures[i] != nullptr) {
      const RequestError refusal = refusal_of(failures[i], request);
      pictures[i] = {{"error", refusal.what()}, {"status", refusal.status()}};
    }
    if (images.size() > 1) pictures[i]["file"] = images[i].name;
    metrics_.count_faces(pictures[i].value("faces_detected", size_t{0}));
  }
  Json answer{{"model", chosen.front()->name}, {"confidence_unit", kConfidenceUnit}};
  if (images.size() == 1) {
    answer.update(pictures[0]);
  } else {
    answer["pictures"] = pictures;
  }
  return json_answer(answer);
}

/// Calls `work` with the network's crop of each face that the request means, and gives what it says of them.
std::vector<Json> Api::each_face(const ApiRequest& request, const std::string& bytes, const ServedModel& model,
                                 const std::function<Json(const torch::Tensor& crop)>& work) {
  std::vector<Json> faces;
  const bool every = to_lower(trim(field(request, "face", ""))) == kEveryFace;
  lanes_.run(request.path + (every ? " of every face" : ""), [&](FaceDetector& detector) {
    const Picture picture = decode_upload(bytes, settings_.most_pixels);
    throw_if_late();
    const auto& input = model.classifier.preprocessing();
    const auto found = find_faces(picture, &detector, input, Detect::Auto);
    for (const size_t place : wanted_faces(request, found)) {
      Json face{{"face", place + 1},
                {"box", Shape<Box>::write(found.faces[place].box)},
                {"square", Shape<Box>::write(found.squares[place])}};
      face.update(work(crop_faces(picture, {found.squares[place]}, input)));
      faces.push_back(face);
    }
  });
  return faces;
}

ApiAnswer Api::attack(ApiRequest& request) {
  const std::string bytes = image_of(request);
  language_of(request);
  const AttackOrder order = read_order(request.fields, models_, settings_.most_steps);
  Json head = order_json(order);
  head["eps"] = order.eps;
  head["confidence_unit"] = kConfidenceUnit;
  const auto faces = each_face(request, bytes, *order.model, [&](const torch::Tensor& crop) {
    return attack_face(order, crop, models_, settings_.runtime.seed);
  });
  for (const auto& face : faces) {
    if (face["attacked"].get<bool>()) metrics_.count_attack(face["success"].get<bool>());
  }
  return json_answer(joined_faces(head, request, faces));
}

ApiAnswer Api::smallest(ApiRequest& request) {
  const std::string bytes = image_of(request);
  language_of(request);
  const AttackOrder order = read_order(request.fields, models_, settings_.most_steps);
  const auto faces = each_face(request, bytes, *order.model, [&](const torch::Tensor& crop) {
    return smallest_eps_of_face(order, crop, settings_.runtime.seed);
  });
  return json_answer(joined_faces(order_json(order), request, faces));
}

}  // namespace fercli
