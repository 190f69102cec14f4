#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "faces/face_crop.hpp"
#include "faces/face_detector.hpp"
#include "models/classifier.hpp"

namespace fercli {

/// What the network says of one face.
struct FaceReading {
  Box box;                            ///< as detected, in the picture's pixels
  torch::Tensor crop;                 ///< uint8 (C,S,S): what the network was shown
  std::vector<double> probabilities;  ///< in the order of the network's classes

  int64_t top() const;  ///< the most probable class; of equals, the lowest number
  double confidence() const { return probabilities[static_cast<size_t>(top())]; }
};

/// The network inputs for these squares of a picture: uint8 (N,C,S,S) with the channels and size that the classifier's
/// preprocessing asks for. `live`, `predict` and `serve` all go this way.
torch::Tensor crop_faces(const Picture& picture, const std::vector<Box>& squares, const Preprocessing& input);

/// Softmax of the network's logits for uint8 (N,C,S,S) crops, one batched forward. An image's numbers do not depend on
/// the batch.
std::vector<std::vector<double>> read_crops(const Classifier& classifier, const torch::Tensor& crops);

/// Crops and reads the faces in these boxes.
std::vector<FaceReading> read_faces(const Classifier& classifier, const Picture& picture,
                                    const std::vector<Box>& boxes);

/// (N,K) logits -> probabilities of each row.
std::vector<std::vector<double>> to_probabilities(const torch::Tensor& logits);

/// Whether an image of this size is taken as a face crop when nobody says: it has no room for a face with its
/// surroundings, or is just what the network reads.
bool looks_like_crop(int64_t height, int64_t width, const Preprocessing& input);

enum class Detect {
  Auto,    ///< what looks like a crop is one
  Always,  ///< look for faces in every picture
  Never    ///< every picture is a crop: its middle square
};

struct FoundFaces {
  std::vector<Detection> faces;
  std::vector<Box> squares;  ///< what the network sees of them
  bool searched = true;      ///< false: the picture was taken as a face crop
};

/// The faces of a still picture. `detector` may be null with `Detect::Never`.
FoundFaces find_faces(const Picture& picture, FaceDetector* detector, const Preprocessing& input, Detect detect);

}  // namespace fercli
