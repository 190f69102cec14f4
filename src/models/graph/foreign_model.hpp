#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/registry.hpp"
#include "data/label_set.hpp"
#include "models/files/file_probe.hpp"
#include "models/networks/model.hpp"

namespace fercli {

/// A model read from a file that another program wrote.
class ForeignModel : public Model {
 public:
  /// Puts all that `StoredModel::restore` needs into the header and tensors of a fercli checkpoint.
  virtual void store(nlohmann::json& header, std::map<std::string, torch::Tensor>& tensors) const = 0;

  /// The name of the StoredModel that reads it back.
  virtual std::string kind() const = 0;
};

/// How one kind of foreign model comes out of a fercli checkpoint. Code in it runs only where it computes with tensors,
/// or the user trusts it.
struct StoredModel {
  static constexpr const char* kKind = "kind of stored model";
  std::string name;
  std::shared_ptr<const ForeignModel> (*restore)(const nlohmann::json& header,
                                                 const std::map<std::string, torch::Tensor>& tensors, bool trust_code);
};

/// What a foreign file does not say about its network; what is left open is taken from the file or assumed.
struct ImportOptions {
  int64_t channels = 0, height = 0, width = 0;  ///< of the network's input; 0: as in the file, else grey 48x48
  std::vector<double> mean, std;                ///< on pixels in [0,1]; empty: pixels as they are
  LabelSet labels;                              ///< order of the outputs; empty: FER2013's, where there are seven
  bool number_outputs = false;                  ///< where `labels` are open: "output 0", "output 1", …
  bool strip_softmax = true;                    ///< leave a trailing softmax out, so that outputs are logits
  std::string format;                           ///< name of the ModelFormat; empty: the one that recognises the file
  std::string output;                           ///< which of several outputs, by name; empty: the first
  bool crop_input = false;                      ///< the middle of an image is the input, not the whole image resized
  std::string arch;                             ///< for files that hold weights only
  std::map<std::string, double> settings;       ///< of that architecture
  int64_t window = 0;                           ///< see NetworkSpec; a file of weights may say it
  bool trust_code = false;                      ///< run TorchScript that does more than compute with tensors

  bool empty() const;  ///< nothing said about the network
};

/// A foreign model with what its file says.
struct ImportedModel {
  std::shared_ptr<const ForeignModel> model;
  int64_t channels = 0, height = 0, width = 0;            ///< of its input; 0: the file does not say
  std::shared_ptr<const ForeignModel> with_softmax = {};  ///< the same before a softmax was left out; null: none was
  bool whole_pixels = false;                              ///< its input is declared as whole numbers, 0 to 255
  bool rounds = false;                                    ///< it rounds to 8-bit numbers inside
};

/// One foreign file format, in a file of its own. Of the formats that recognise a file the one of highest priority
/// reads.
struct ModelFormat {
  static constexpr const char* kKind = "model format";
  std::string name;  ///< what results call the model's architecture
  std::string summary;
  bool (*recognises)(const FileProbe& file);
  ImportedModel (*read)(const std::filesystem::path& path, const ImportOptions& options);
  int priority = 0;
  /// A second file, with the weights, that is read too; null: all is in one.
  std::filesystem::path (*beside)(const std::filesystem::path& path) = nullptr;
};

}  // namespace fercli
