// "synthetic:n=700,seed=1,…": drawn faces as a data set, for demos and tests without photographs.
#include "data/formats/reader.hpp"
#include "data/drawn/face.hpp"
#include "data/each_image.hpp"
#include "data/formats/label_order.hpp"
#include "data/image_store.hpp"

namespace fercli::drawn_reader {

namespace {

constexpr std::string_view kPrefix = "synthetic:";
constexpr const char* kKeys = "n, seed, size, classes, noise, framing";

struct DrawnSource {
  int64_t count = 700;
  int64_t seed = 1;
  int64_t size = 0;              ///< 0: that of the read options
  std::vector<int64_t> classes;  ///< indices into `all_emotions`
  std::optional<double> noise;   ///< in place of each picture's own
  Framing framing = Framing::Crop;
};

/// In the order of their table: FER2013's seven, then Contempt.
LabelSet all_emotions() {
  std::vector<std::string> names;
  for (const auto& emotion : emotions()) names.push_back(emotion.name);
  return LabelSet(names);
}

bool recognises(const std::string& source) {
  return source.compare(0, kPrefix.size(), kPrefix) == 0;
}

int64_t whole_number(const std::string& value, int64_t low, int64_t high) {
  const int64_t number = parse_integer(value);
  if (number < low || number > high) throw std::invalid_argument(fmt::format("must be in [{}, {}]", low, high));
  return number;
}

std::vector<int64_t> parse_classes(const std::string& value) {
  std::vector<int64_t> classes;
  for (const auto& word : split(value, '+')) {
    const int64_t index = all_emotions().index(word);
    if (std::find(classes.begin(), classes.end(), index) != classes.end()) {
      throw std::invalid_argument(fmt::format("class '{}' is named twice", word));
    }
    classes.push_back(index);
  }
  if (classes.empty()) throw std::invalid_argument("names classes separated by +, such as happy+sad");
  std::sort(classes.begin(), classes.end());
  return classes;
}

Framing parse_framing(const std::string& value) {
  if (value == "crop") return Framing::Crop;
  if (value == "portrait") return Framing::Portrait;
  throw std::invalid_argument("must be crop or portrait");
}

void assign(DrawnSource& out, const std::string& key, const std::string& value) {
  if (key == "n") {
    out.count = whole_number(value, 1, 1'000'000);
  } else if (key == "seed") {
    out.seed = whole_number(value, 0, std::numeric_limits<int64_t>::max());
  } else if (key == "size") {
    out.size = whole_number(value, 16, 4096);
  } else if (key == "classes") {
    out.classes = parse_classes(value);
  } else if (key == "noise") {
    out.noise = parse_number(value);
    if (!(*out.noise >= 0 && *out.noise <= 0.5)) throw std::invalid_argument("must be in [0, 0.5]");
  } else if (key == "framing") {
    out.framing = parse_framing(value);
  } else {
    throw std::invalid_argument(fmt::format("unknown key '{}' (known: {})", key, kKeys));
  }
}

DrawnSource parse(const std::string& source) {
  DrawnSource out;
  for (const auto& piece : split(source.substr(kPrefix.size()), ',')) {
    const auto equals = piece.find('=');
    try {
      if (equals == std::string::npos) throw std::invalid_argument(fmt::format("expected key=value (keys: {})", kKeys));
      assign(out, trim(piece.substr(0, equals)), trim(piece.substr(equals + 1)));
    } catch (const std::invalid_argument& error) {
      throw UserError(fmt::format("{}: '{}': {}", source, piece, error.what()));
    } catch (const UserError& error) {
      throw UserError(fmt::format("{}: '{}': {}", source, piece, error.what()));
    }
  }
  if (out.classes.empty()) {
    for (int64_t k = 0; k < LabelSet::fer2013().size(); ++k) out.classes.push_back(k);
  }
  return out;
}

/// 80 % Training, 10 % PublicTest, 10 % PrivateTest.
Split split_of(int64_t index_in_class) {
  const int64_t place = index_in_class % 10;
  return place < 8 ? Split::Training : place == 8 ? Split::PublicTest : Split::PrivateTest;
}

/// A picture depends on the seed, its class and its number within the class, and on nothing else.
FaceParameters parameters_of(const DrawnSource& source, const std::string& emotion, int64_t index) {
  const Rng rng = Rng(static_cast<uint64_t>(source.seed)).split(emotion).split(static_cast<uint64_t>(index));
  FaceParameters face = random_face(emotion, rng);
  face.framing = source.framing;
  if (source.noise) face.camera.noise = *source.noise;
  return face;
}

/// What is said of a drawn face: skin, glasses, beard, hair, light, pose.
std::vector<std::pair<const char*, std::string>> groups_of(const FaceParameters& face) {
  static constexpr std::array<const char*, kHairStyles> styles{"bald", "cropped", "short", "fringe",
                                                               "bob",  "long",    "curly", "bun"};
  const FaceIdentity& person = face.identity;
  constexpr double kLight = 0.2, kDark = 0.45, kBeard = 0.6, kSide = 20, kTurned = 6;
  const std::string light = face.light.azimuth < -kSide ? "left" : face.light.azimuth > kSide ? "right" : "front";
  return {{"skin", person.skin_tone < kLight  ? "light"
                   : person.skin_tone < kDark ? "medium"
                                              : "dark"},
          {"glasses", person.glasses > 0 ? "yes" : "no"},
          {"beard", person.facial_hair == 0       ? "none"
                    : person.facial_hair < kBeard ? "stubble"
                                                  : "full"},
          {"hair", styles[static_cast<size_t>(person.hair)]},
          {"light", light},
          {"pose", std::abs(face.pose.yaw) < kTurned ? "frontal" : "turned"}};
}

void add_groups(Dataset& data, const FaceParameters& face) {
  const auto groups = groups_of(face);
  if (data.groups.empty())
    for (const auto& [name, value] : groups) data.groups.push_back({name, {}});
  for (size_t k = 0; k < groups.size(); ++k) data.groups[k].values.push_back(groups[k].second);
}

Dataset read(const std::string& text, const ReadOptions& asked) {
  const DrawnSource source = parse(text);
  if (asked.classes.numbering) throw UnusedLabelOrder(text, "drawn faces have no label numbers");
  ReadOptions options = asked;
  if (options.native) options.size = ReadOptions().size;
  if ((options.native || options.drawn_size) && source.size > 0) options.size = source.size;
  const auto classes = static_cast<int64_t>(source.classes.size());
  Dataset data;
  data.name = text;
  data.classes = all_emotions();
  data.images = make_images(source.count, options.channels, options.size);
  data.labels = torch::empty({source.count}, torch::kInt64);
  int64_t* labels = data.labels.data_ptr<int64_t>();
  for (int64_t row = 0; row < source.count; ++row) {
    labels[row] = source.classes[static_cast<size_t>(row % classes)];
    data.splits.push_back(split_of(row / classes));
    data.ids.push_back(fmt::format("drawn/{}/{:04}", data.classes.name(labels[row]), row / classes));
  }
  std::vector<FaceParameters> faces;
  for (int64_t row = 0; row < source.count; ++row) {
    faces.push_back(parameters_of(source, data.classes.name(labels[row]), row / classes));
    add_groups(data, faces.back());
  }
  const int64_t side = source.size > 0 ? source.size : options.size;
  const auto draw_row = [&](int64_t row) {
    put_image(draw_face(faces[static_cast<size_t>(row)], side, options.channels), data.images[row]);
  };
  for_each_image("Drawing", source.count, 1, draw_row, *options.observer);
  return data;
}

const Register<DatasetReader> registered{
    {"drawn", "synthetic: (drawn faces)", recognises, read, 0,
     [](const std::filesystem::path&) -> std::string { return "synthetic:n=14"; }}};

}  // namespace

}  // namespace fercli::drawn_reader
