#include "serve/api_description.hpp"

#include <nlohmann/json.hpp>

#include "core/json_text.hpp"
#include "record/box_shape.hpp"
#include "record/document_kind.hpp"
#include "serve/face_attack.hpp"
#include "serve/routes.hpp"
#include "serve/served_models.hpp"

namespace fercli {

namespace {

using nlohmann::json;
using shape::Members;

json share_unit() {
  return shape::constant(kConfidenceUnit);
}

Members places() {
  using namespace shape;
  const json box = titled(Shape<Box>::schema(), "Box");
  return {{"box", described(box, "Pixels of the picture")}, {"square", described(box, "What the network sees of it")}};
}

/// Both objects' members in one.
json merged(json first, const json& second) {
  first["properties"].update(second["properties"]);
  for (const auto& name : second["required"]) first["required"].push_back(name);
  return first;
}

json prediction_answer() {
  using namespace shape;
  const json verdict = titled(schema_of_record<Verdict>(), "Verdict");
  const json verdicts = described(map_of(verdict), "Of each network, where several were asked for");
  const json prediction = merged(verdict, object(places(), {{"verdicts", verdicts}}));
  const Members head{{"model", text()}, {"confidence_unit", share_unit()}};
  const Members read{{"faces_detected", whole()}, {"predictions", list(titled(prediction, "Prediction"))}};
  const Members file{{"file", described(text(), "Its name in the form")}};
  const Members refused{{"error", text()}, {"status", described(whole(), "Of the answer, had it come alone")}};
  const json picture{{"anyOf", {object(joined(read, file)), object(joined(refused, file))}}};
  const json pictures = described(list(titled(picture, "Picture")), "Of several files, in their order");
  return {{"anyOf", {object(joined(head, read)), object(joined(head, {{"pictures", pictures}}))}}};
}

/// One face alone, or the list "faces" where every face was asked for.
json faces_answer(Members head, const Members& found, const Members& sometimes, const char* title) {
  using namespace shape;
  head = joined({{"model", text()}, {"goal", text()}, {"attack", text()}}, head);
  const Members steps{{"steps", described(whole(), "Of an attack that takes steps")}};
  Members face{{"face", described(whole(), "Place from left to right, from 1")}};
  face = joined(joined(face, places()), found);
  const json faces = list(titled(object(face, sometimes), title));
  return {{"anyOf",
           {object(joined(head, face), joined(steps, sometimes)), object(joined(head, {{"faces", faces}}), steps)}}};
}

json attack_answer() {
  return faces_answer({{"eps", shape::number()}, {"confidence_unit", share_unit()}}, attacked_face_members(),
                      sometimes_of_attacked_face(), "AttackedFace");
}

json smallest_answer() {
  return faces_answer({}, smallest_eps_members(), {}, "SmallestEps");
}

json models_answer() {
  using namespace shape;
  const json model = object(joined(served_members(), {{"labels", labels_schema()}}));
  return object({{"models", list(titled(model, "Model"))},
                 {"attacks", offered_attacks_schema()},
                 {"limits", titled(object({{"pixels", whole()}, {"steps", whole()}}), "Limits")},
                 {"confidence_unit", share_unit()}});
}

json model_answer() {
  return shape::object(served_members());
}

json labels_answer() {
  return shape::object({{"labels", labels_schema()}});
}

json test_answer() {
  return shape::object({{"status", shape::constant("ok")}});
}

json ready_answer() {
  using namespace shape;
  return object({{"status", constant("ready")},
                 {"waiting", described(whole(), "Pictures that wait for a worker")},
                 {"workers", described(whole(), "Pictures worked on at the same time")}});
}

json error_answer() {
  return shape::object({{"error", shape::described(shape::text(), "One sentence for people")}});
}

const std::string kAnswer = "serve-";  ///< and the path; "error": of what is refused

const Register<DocumentKind> predict_document{
    {kAnswer + "predict", "answer of serve to POST /predict", prediction_answer}};
const Register<DocumentKind> attack_document{{kAnswer + "attack", "answer of serve to POST /attack", attack_answer}};
const Register<DocumentKind> smallest_document{
    {kAnswer + "smallest", "answer of serve to POST /smallest", smallest_answer}};
const Register<DocumentKind> models_document{{kAnswer + "models", "answer of serve to GET /models", models_answer}};
const Register<DocumentKind> model_document{{kAnswer + "model", "answer of serve to GET /model", model_answer}};
const Register<DocumentKind> labels_document{{kAnswer + "labels", "answer of serve to GET /labels", labels_answer}};
const Register<DocumentKind> test_document{{kAnswer + "test", "answer of serve to GET /test", test_answer}};
const Register<DocumentKind> health_document{{kAnswer + "healthz", "answer of serve to GET /healthz", test_answer}};
const Register<DocumentKind> ready_document{{kAnswer + "readyz", "answer of serve to GET /readyz", ready_answer}};
const Register<DocumentKind> error_document{{kAnswer + "error", "answer of serve to what it refuses", error_answer}};

}  // namespace

std::string describe_api() {
  const PageFile* file = page_file_at(kApiDescription);
  auto text = nlohmann::ordered_json::parse(file->data, file->data + file->size);
  text["components"]["schemas"]["Error"] = error_answer();
  for (const auto& each : text.at("paths").items()) {
    const auto* answer = Registry<DocumentKind>::instance().find(kAnswer + each.key().substr(1));
    if (answer == nullptr) continue;
    for (auto& operation : each.value())
      operation["responses"]["200"]["content"]["application/json"]["schema"] = answer->schema();
  }
  return compact_json(text);
}

}  // namespace fercli
