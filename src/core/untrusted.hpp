#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace fercli {

class ZipFile;

/// JSON from a file of unknown origin. Throws std::runtime_error when it is no JSON, or nested so deeply that recursive
/// readers of it run out of stack.
nlohmann::json parse_untrusted_json(const std::string& text);

/// LibTorch's unpickler believes what it reads: a pickle that takes from an empty stack, or a tensor that claims more
/// than its data record holds, has it read foreign memory. This walks through the pickle first, without making
/// anything. `record_size` gives the bytes of a data record. Throws std::runtime_error that says what is wrong, also
/// for tensors that are quantised, sparse or overlap themselves.
void check_pickle(std::string_view pickle, const std::function<uint64_t(const std::string& record)>& record_size);

/// check_pickle for a state dictionary that Python wrote. LibTorch knows neither OrderedDict nor attributes of objects:
/// in the pickle returned dictionaries are plain, attributes are left out, and a dictionary of one entry is the tuple
/// (dictionary, key, value).
std::string plain_pickle(std::string_view pickle,
                         const std::function<uint64_t(const std::string& record)>& record_size);

/// check_pickle for all pickles of a file in PyTorch's zip format (torch.save, torch.jit.save), whose data records lie
/// in a folder beside each. To be called before LibTorch opens it. Throws std::runtime_error or UserError.
void check_torch_file(const ZipFile& file);

}  // namespace fercli
