#pragma once

#include <torch/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fercli {

class ZipFile;

/// A value in a pickle. Its parts belong to the `Pickle`, and may lie in each other in circles.
struct PickleValue {
  enum class Kind {
    None,
    Boolean,
    Integer,
    Real,
    Text,
    Function,     ///< named, never called
    StorageType,  ///< torch.FloatStorage and its like
    Storage,
    Tuple,
    List,
    Dictionary,
    Tensor,
    Object  ///< made by a function that this program does not know
  };
  Kind kind = Kind::None;
  bool fresh = false;                      ///< an object that NEWOBJ made
  int depth = 0;                           ///< of tuples
  int64_t number = 0;                      ///< Boolean, Integer; elements of a Storage
  double real = 0;                         ///< Real
  std::string_view text;                   ///< Text; name of a Function, StorageType or Object; record of a Storage
  torch::ScalarType type = torch::kFloat;  ///< StorageType, Storage
  torch::Tensor tensor;                    ///< Tensor; undefined where records were only measured
  std::vector<PickleValue*> parts;         ///< Tuple, List; of a Dictionary key, value, key, value …

  /// The last value that a dictionary has under this text; nullptr where there is none, or it is no dictionary.
  const PickleValue* find(std::string_view key) const;
};

/// The data records that lie beside a pickle.
struct PickleRecords {
  std::function<uint64_t(const std::string& record)> size;
  /// Into as many bytes as `size` says; empty: tensors are checked, but not made.
  std::function<void(const std::string& record, void* place)> read;
  /// Who reads the same bytes afterwards. LibTorch's unpickler calls functions: only those that do no harm are allowed,
  /// and objects of libraries outside the file when they are trusted.
  enum class Use { Own, LibTorch, LibTorchTrusted };
  Use use = Use::Own;
};

/// A pickle of protocol 2 by the program's own reader. It builds numbers, texts, tuples, lists, dictionaries and
/// tensors, and calls nothing. Time and memory grow in proportion to the sizes of pickle and records: tensors may share
/// their data, but all together not exceed four times the records. Throws std::runtime_error that says what is wrong,
/// also for tensors that reach beyond their data, are quantised or sparse, and for data on unknown devices.
class Pickle {
 public:
  Pickle(std::string bytes, const PickleRecords& records);
  Pickle(const Pickle&) = delete;
  Pickle& operator=(const Pickle&) = delete;

  const PickleValue& root() const { return *root_; }

 private:
  std::string bytes_;
  std::deque<std::string> names_;
  std::deque<PickleValue> values_;
  const PickleValue* root_ = nullptr;
};

/// The pickle of a file in PyTorch's zip format: the one entry data.pkl, with its records in the folder data beside it.
/// Throws std::runtime_error or UserError.
Pickle read_torch_pickle(const ZipFile& file);

}  // namespace fercli
