#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "attacks/threat/emotion_goal.hpp"
#include "faces/face_reader.hpp"
#include "models/checkpoint.hpp"
#include "serve/lanes.hpp"
#include "serve/metrics.hpp"

namespace fercli {

/// A request as the HTTP layer hands it over.
struct ApiRequest {
  std::string method, path, content_type, body;
  std::map<std::string, std::string> fields;  ///< of the address and of a form
  bool has_file = false;
  std::string file;  ///< the form's field "file"
};

struct ApiAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

struct ApiSettings {
  std::string model = "standard";  ///< as it is shown
  std::string detector = "haar";
  SmallestFace smallest_face;
  int64_t lanes = 1;
  size_t longest_queue = 128;
  double work_seconds = 30;  ///< for the work on a request, waiting for its turn included
  int64_t most_pixels = 16'000'000;
  int64_t most_steps = 50;
  Runtime runtime;  ///< threads: of one lane
};

/// What `POST /attack` asks for.
struct AttackOrder {
  EmotionGoal goal;
  double eps;
  int64_t steps;
};

/// What the server can do, without HTTP: usable by any number of threads at once.
///
///     POST /predict   image -> {"faces_detected", "predictions": [{"emotion", "confidence" in %, "box", …}]}
///     POST /attack    image, goal, eps, steps -> both verdicts, norms, adversarial PNG
///     GET /test, /labels, /model, /metrics, /openapi.json, and the web page at /
class Api {
 public:
  Api(const Checkpoint& checkpoint, ApiSettings settings);

  /// Never throws: errors become {"error": sentence} with their status; 503 for work that would be late (before it
  /// starts) or turns out late.
  ApiAnswer answer(ApiRequest request);

  /// The allowed methods of a path ("GET", "POST"); "" for a path that does not exist.
  static std::string method_of(const std::string& path);

  /// Paths that need no token: the page itself, and the sign of life.
  static bool is_open(const std::string& path);

  ServerMetrics& metrics() { return metrics_; }

 private:
  ApiAnswer dispatch(ApiRequest& request);
  ApiAnswer predict(ApiRequest& request);
  ApiAnswer attack(ApiRequest& request);
  nlohmann::ordered_json verdict(const std::vector<double>& probabilities, const std::string& language) const;

  void attack_crop(const torch::Tensor& crop, const AttackOrder& order, const std::string& language,
                   nlohmann::ordered_json& out);

  Classifier classifier_;
  ApiSettings settings_;
  std::string model_json_;
  ServerMetrics metrics_;
  Lanes lanes_;
};

/// {"error": message}.
std::string error_json(const std::string& message);

}  // namespace fercli
