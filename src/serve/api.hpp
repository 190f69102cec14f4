#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

#include "faces/face_reader.hpp"
#include "serve/form.hpp"
#include "serve/lanes.hpp"
#include "serve/metrics.hpp"
#include "serve/served_models.hpp"
#include "serve/upload.hpp"

namespace fercli {

/// A request as the HTTP layer hands it over.
struct ApiRequest {
  std::string method, path, content_type, body;
  std::map<std::string, std::string> fields;  ///< of the address and of a form
  std::vector<FormFile> files;                ///< of a form
};

struct ApiAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

struct ApiSettings {
  std::string model = "standard";  ///< of a server of one network, as it is shown
  std::string detector = "haar";
  SmallestFace smallest_face;
  int64_t lanes = 1;  ///< pictures worked on at the same time
  size_t longest_queue = 128;
  double work_seconds = 30;  ///< for the work on a request, waiting for its turn included
  int64_t most_pixels = 16'000'000;
  int64_t most_steps = 50;
  Runtime runtime;  ///< threads: of one lane
};

/// What the server can do, without HTTP: usable by any number of threads at once.
///
///     POST /predict   image, model -> {"faces_detected", "predictions": [{"emotion", "confidence", "box", …}]};
///     several
///                     files of a form -> {"pictures": [the same of each, or {"error", "status"}]}
///     POST /attack    image, model, goal, eps, attack, steps, face -> both verdicts of every network, norms, pictures
///     POST /smallest  the same without eps -> the smallest eps that suffices
///     GET /models, /samples, /labels, /model, /metrics; /test and /healthz: it lives; /readyz: it takes work; the page
///     at /, the API's description at /docs and /openapi.json
///
/// A POST refuses fields that it does not know. Confidences and probabilities are shares, 0 to 1.
class Api {
 public:
  Api(const Checkpoint& checkpoint, ApiSettings settings);  ///< of `settings.model`

  /// The first is the one that requests mean which name none. Throws as `ServedModels` does.
  Api(const std::vector<NamedCheckpoint>& checkpoints, ApiSettings settings);

  /// What answers at an address.
  struct Route {
    std::string method;  ///< "GET" (and so HEAD) or "POST"
    ApiAnswer (*answer)(Api& api, ApiRequest& request);
    std::set<std::string> fields = {};  ///< of a POST, besides the image
    bool open = false;                  ///< needs no token
  };
  static const std::map<std::string, Route>& routes();  ///< by address, besides the files of the page

  /// Never throws: errors become {"error": sentence} with their status; 503 for work that would be late (before it
  /// starts) or turns out late.
  ApiAnswer answer(ApiRequest request);

  ServerMetrics& metrics() { return metrics_; }

  /// From here on /readyz says that no more work should be sent.
  void announce_stop() { stopping_ = true; }

 private:
  ApiAnswer dispatch(ApiRequest& request);
  ApiAnswer predict(ApiRequest& request);
  ApiAnswer attack(ApiRequest& request);
  ApiAnswer smallest(ApiRequest& request);
  std::vector<nlohmann::ordered_json> each_face(
      const ApiRequest& request, const std::string& bytes, const ServedModel& model,
      const std::function<nlohmann::ordered_json(const torch::Tensor& crop)>& work);
  ApiAnswer models() const;
  ApiAnswer counters() const;
  ApiAnswer readiness() const;
  RequestError refusal_of(const std::exception_ptr& failure, const ApiRequest& request) const;
  nlohmann::ordered_json read_picture(const std::string& bytes, const std::vector<const ServedModel*>& chosen,
                                      const std::string& language, FaceDetector& detector) const;
  ApiAnswer samples();

  ServedModels models_;
  ApiSettings settings_;
  std::atomic<bool> stopping_{false};
  std::mutex samples_mutex_;
  std::string samples_json_;  ///< "" until it is asked for
  ServerMetrics metrics_;
  Lanes lanes_;
};

/// {"error": message}.
std::string error_json(const std::string& message);

}  // namespace fercli
