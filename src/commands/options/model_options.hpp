#pragma once

#include <string>
#include <vector>

#include "core/parameters.hpp"
#include "data/formats/reader.hpp"
#include "models/checkpoint.hpp"
#include "models/graph/foreign_model.hpp"

namespace fercli {

class OptionSet;

/// The options that name a command's model: --model, and for foreign files --input, --crop-input, --scale,
/// --mean, --std, --labels, --output, --model-format, --no-strip-softmax, --arch, --set, --trust-code, --space, --tta
/// and --executor.
struct ModelOptions {
  std::string model = "standard", input, scale, mean, std, labels, output, arch, format = "auto", space = "stored",
              executor = "auto", tta = "none";
  std::vector<std::string> settings;
  Given arch_given;             ///< parameters that --arch gives
  bool number_outputs = false;  ///< see ImportOptions; no option of its own
  bool keep_softmax = false, crop_input = false, trust_code = false;

  /// Declares --model only; the others follow with `declare_foreign`, in a section of their own.
  void declare(OptionSet& options);
  void declare_foreign(OptionSet& options, bool with_arch = true);  ///< --arch may be the command's own
  void declare_space(OptionSet& options);
  void declare_tta(OptionSet& options);
  void declare_runtime(OptionSet& options, Runtime* runtime);  ///< --executor, and how it is to run

  /// Throws UserError, also about options that do not fit the file.
  Checkpoint load() const;
  Checkpoint load_and_warn() const;  ///< the same, with its warnings on stderr: for commands that write no result

  /// The classifier of what was loaded, with --tta. Throws what `make_classifier` throws.
  Classifier classifier(const Checkpoint& checkpoint, const Runtime& runtime) const;

  /// The size and channels to read images in, so that what is perturbed is the stored image, or the network's input.
  void fit(ReadOptions& read, const Checkpoint& checkpoint) const;

  ImportOptions import_options() const;
};

/// --trust-code, for commands that load models without the other options about foreign files.
void declare_trust(OptionSet& options, bool* trust_code);

/// The models of "A,B,C"; a file of just that name is one.
std::vector<std::string> model_names(const std::string& text);

/// The model that `option` ("--teacher") names: a file, or a shipped one.
Checkpoint load_named_model(const std::string& model, const std::string& option, bool trust_code);

/// "gray48", "rgb224" or "HxWxC" into channels, height and width. Throws UserError.
void parse_input_shape(const std::string& text, ImportOptions& options);

/// "width=96" … of --set into numbers; what --arch gives wins over them. Throws UserError.
std::map<std::string, double> arch_settings(const std::vector<std::string>& words, const Given& given);

}  // namespace fercli
