#include "core/pickle.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <stdexcept>
#include <unordered_map>

#include "core/large_bytes.hpp"
#include "core/zip_file.hpp"

namespace fercli {

namespace {

constexpr int kDeepestTuple = 64;
constexpr int kDeepestTypeName = 64;
constexpr size_t kMostContainers = 10000;  // may lie in each other, and LibTorch's destructors recurse
constexpr size_t kMostValues = size_t{1} << 21;
constexpr uint64_t kMostBytes = uint64_t{1} << 40;
constexpr uint64_t kMostSharing = 4, kFreeSharing = 1 << 20;

using Kind = PickleValue::Kind;

[[noreturn]] void refuse(const std::string& reason) {
  throw std::runtime_error(reason);
}

const std::map<std::string_view, torch::ScalarType>& storage_types() {
  static const std::map<std::string_view, torch::ScalarType> types = {
      {"FloatStorage", torch::kFloat32},     {"DoubleStorage", torch::kFloat64}, {"HalfStorage", torch::kFloat16},
      {"BFloat16Storage", torch::kBFloat16}, {"LongStorage", torch::kInt64},     {"IntStorage", torch::kInt32},
      {"ShortStorage", torch::kInt16},       {"CharStorage", torch::kInt8},      {"ByteStorage", torch::kUInt8},
      {"BoolStorage", torch::kBool}};
  return types;
}

/// What LibTorch's unpickler may call: nothing but tensors, lists of numbers, types by name, and classes whose code
/// comes with the file.
bool is_harmless(std::string_view name, PickleRecords::Use use) {
  static const std::set<std::string_view> known = {"torch._utils._rebuild_tensor_v2",
                                                   "torch._utils._rebuild_parameter",
                                                   "torch.jit._pickle.build_intlist",
                                                   "torch.jit._pickle.build_doublelist",
                                                   "torch.jit._pickle.build_boollist",
                                                   "torch.jit._pickle.build_tensorlist",
                                                   "torch.jit._pickle.restore_type_tag",
                                                   "torch.device",
                                                   "collections.OrderedDict"};
  constexpr std::string_view kCode = "__torch__.", kOutside = "__torch__.torch.classes";
  return known.count(name) > 0 ||
         (name.compare(0, kCode.size(), kCode) == 0 &&
          (use == PickleRecords::Use::LibTorchTrusted || name.compare(0, kOutside.size(), kOutside) != 0));
}

const std::vector<PickleValue*>& parts_of(const PickleValue& value, const char* what) {
  if (value.kind != Kind::Tuple) refuse(fmt::format("{} is no tuple", what));
  return value.parts;
}

int64_t count_of(const PickleValue& value, const char* what) {
  if (value.kind != Kind::Integer || value.number < 0) refuse(fmt::format("{} is no count", what));
  return value.number;
}

struct TensorShape {
  int64_t offset = 0;
  std::vector<int64_t> sizes, strides;
  uint64_t bytes = 0;
};

/// Arguments of torch._utils._rebuild_tensor_v2: storage, offset, sizes, strides, …
TensorShape checked_shape(const std::vector<PickleValue*>& arguments) {
  if (arguments.size() < 6 || arguments[0]->kind != Kind::Storage) refuse("a tensor has no data");
  const auto &sizes = parts_of(*arguments[2], "a tensor's shape"),
             &strides = parts_of(*arguments[3], "a tensor's strides");
  if (sizes.size() != strides.size() || sizes.size() > 16) refuse("a tensor's strides do not fit its shape");
  TensorShape shape;
  shape.offset = count_of(*arguments[1], "a tensor's offset");
  uint64_t last = static_cast<uint64_t>(shape.offset), count = 1;
  bool empty = false;
  for (size_t d = 0; d < sizes.size(); ++d) {
    shape.sizes.push_back(count_of(*sizes[d], "a tensor's side"));
    shape.strides.push_back(count_of(*strides[d], "a tensor's stride"));
    const auto side = static_cast<uint64_t>(shape.sizes[d]), stride = static_cast<uint64_t>(shape.strides[d]);
    empty = empty || side == 0;
    if (side > kMostBytes || (side > 0 && count > kMostBytes / side) || (side > 1 && stride > kMostBytes / side)) {
      refuse("a tensor is oversized");
    }
    count *= std::max<uint64_t>(side, 1);
    last += side > 0 ? (side - 1) * stride : 0;
  }
  const auto elements = static_cast<uint64_t>(arguments[0]->number);
  if (!empty && (last >= elements || count > elements)) refuse("a tensor reaches beyond its data");
  if (empty && static_cast<uint64_t>(shape.offset) > elements) refuse("a tensor reaches beyond its data");
  shape.bytes = empty ? 0 : count * torch::elementSize(arguments[0]->type);
  return shape;
}

/// One pass over a pickle of protocol 2.
class PickleWalk {
 public:
  PickleWalk(std::string_view pickle, const PickleRecords& records, std::deque<std::string>& names,
             std::deque<PickleValue>& values)
      : pickle_(pickle), records_(records), names_(names), values_(values) {
    true_.kind = false_.kind = Kind::Boolean;
    true_.number = 1;
  }

  const PickleValue* run() {
    if (take(2) != std::string_view("\x80\x02", 2)) refuse("it is no pickle of protocol 2");
    while (step(take(1)[0])) {
    }
    if (stack_.size() != 1) refuse("the pickle does not leave one value");
    return stack_[0];
  }

 private:
  using Values = std::vector<PickleValue*>;

  /// False at the end.
  bool step(char code) {
    switch (code) {
      case '.':
        return false;
      case '(':
        if (marks_.size() >= kMostValues) refuse("the pickle holds more values than any model");
        marks_.push_back(stack_.size());
        break;
      case 'N':
        push(none_);
        break;
      case '\x88':
      case '\x89':
        push(code == '\x88' ? true_ : false_);
        break;
      case 'G':
        push_real();
        break;
      case 'K':
        push_integer(number<uint8_t>());
        break;
      case 'M':
        push_integer(number<uint16_t>());
        break;
      case 'J':
        push_integer(number<int32_t>());
        break;
      case '\x8a':
        push_long();
        break;
      case 'X':
        made(Kind::Text).text = take(number<uint32_t>());
        break;
      case 'c':
        push_global();
        break;
      default:
        return step_container(code);
    }
    return true;
  }

  bool step_container(char code) {
    switch (code) {
      case ']':
      case '}':
        push_container(code == ']' ? Kind::List : Kind::Dictionary);
        break;
      case ')':
        push_tuple({});
        break;
      case '\x85':
      case '\x86':
      case '\x87':
        push_tuple(take_values(static_cast<size_t>(static_cast<unsigned char>(code) - 0x84)));
        break;
      case 't':
        push_tuple(take_marked());
        break;
      case 'l': {
        const Values items = take_marked();
        append(push_container(Kind::List), items);
        break;
      }
      case 'd': {
        const Values items = take_marked();
        append(push_container(Kind::Dictionary), items);
        break;
      }
      case 'e': {
        const Values items = take_marked();
        append(top(), items);
        break;
      }
      case 'u': {
        const Values items = take_marked();
        if (top().kind == Kind::List) refuse("the pickle stores a key in a list");
        append(top(), items);
        break;
      }
      case 'a': {
        const Values items = take_values(1);
        append(top(), items);
        break;
      }
      case 's': {
        if (is_for_libtorch()) refuse("the pickle has an instruction that LibTorch lacks");
        const Values items = take_values(2);
        append(top(), items);
        break;
      }
      default:
        return step_memo(code);
    }
    return true;
  }

  bool step_memo(char code) {
    switch (code) {
      case 'q':
        remember(number<uint8_t>());
        break;
      case 'r':
        remember(number<uint32_t>());
        break;
      case 'h':
        recall(number<uint8_t>());
        break;
      case 'j':
        recall(number<uint32_t>());
        break;
      case '\x81':
        make_object();
        break;
      case 'R':
        call();
        break;
      case 'b':
        build();
        break;
      case 'Q':
        push_storage();
        break;
      default:
        refuse(fmt::format("the pickle has the unknown instruction {:#04x}", static_cast<unsigned char>(code)));
    }
    return true;
  }

  bool is_for_libtorch() const { return records_.use != PickleRecords::Use::Own; }

  std::string_view take(size_t count) {
    if (count > pickle_.size() - place_) refuse("the pickle is truncated");
    place_ += count;
    return pickle_.substr(place_ - count, count);
  }

  template <class Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  void push(PickleValue& value) {
    if (++pushed_ > kMostValues) refuse("the pickle holds more values than any model");
    stack_.push_back(&value);
  }

  PickleValue& made(Kind kind) {
    PickleValue& value = values_.emplace_back();
    value.kind = kind;
    push(value);
    return value;
  }

  void push_integer(int64_t value) { made(Kind::Integer).number = value; }

  void push_long() {
    if (number<uint8_t>() != 8) refuse("an integer does not have eight bytes");
    push_integer(number<int64_t>());
  }

  /// Eight bytes, the highest first.
  void push_real() {
    const std::string_view bytes = take(8);
    uint64_t bits = 0;
    for (const char byte : bytes) bits = bits << 8 | static_cast<unsigned char>(byte);
    std::memcpy(&made(Kind::Real).real, &bits, sizeof bits);
  }

  std::string_view line() {
    const size_t end = pickle_.find('\n', place_);
    if (end == std::string_view::npos) refuse("the pickle is truncated");
    const std::string_view text = take(end - place_);
    take(1);
    return text;
  }

  void push_global() {
    const std::string_view module = line(), name = line();
    const auto type = module == "torch" ? storage_types().find(name) : storage_types().end();
    const bool storage = type != storage_types().end();
    PickleValue& value = made(storage ? Kind::StorageType : Kind::Function);
    if (storage) value.type = type->second;
    value.text = names_.emplace_back(fmt::format("{}.{}", module, name));
    if (storage) return;
    if (value.text.find("Storage") != std::string_view::npos) {
      refuse(fmt::format("data of the type {} is not supported", value.text));
    }
    if (is_for_libtorch() && !is_harmless(value.text, records_.use)) {
      refuse(fmt::format("the pickle needs {}, which is not allowed", value.text));
    }
  }

  PickleValue& push_container(Kind kind) {
    if (is_for_libtorch() && ++containers_ > kMostContainers) {
      refuse("the pickle holds more lists and dictionaries than any model");
    }
    return made(kind);
  }

  void push_tuple(const Values& parts) {
    PickleValue& value = made(Kind::Tuple);
    for (const auto* part : parts) value.depth = std::max(value.depth, part->depth + 1);
    if (value.depth > kDeepestTuple) refuse("its tuples are nested too deeply");
    value.parts = parts;
  }

  PickleValue& top() {
    require_values(1);
    return *stack_.back();
  }

  /// Lists take items; dictionaries pairs; what an unknown object is given is left out.
  static void append(PickleValue& target, const Values& items) {
    if (target.kind == Kind::Dictionary && items.size() % 2 != 0) refuse("a dictionary has a key without value");
    if (target.kind == Kind::Object) return;
    if (target.kind != Kind::List && target.kind != Kind::Dictionary) refuse("the pickle adds to what is no list");
    target.parts.insert(target.parts.end(), items.begin(), items.end());
  }

  void require_values(size_t count) const {
    if (stack_.size() < count) refuse("the pickle takes from an empty stack");
  }

  Values take_values(size_t count) {
    require_values(count);
    const auto first = stack_.end() - static_cast<int64_t>(count);
    Values values(first, stack_.end());
    stack_.erase(first, stack_.end());
    return values;
  }

  Values take_marked() {
    if (marks_.empty() || marks_.back() > stack_.size()) refuse("the pickle takes from an empty stack");
    const size_t count = stack_.size() - marks_.back();
    marks_.pop_back();
    return take_values(count);
  }

  void remember(size_t place) {
    require_values(1);
    if (place > std::min(pickle_.size(), kMostValues)) refuse("the pickle remembers more values than it has");
    if (place >= memo_.size()) memo_.resize(place + 1);
    memo_[place] = stack_.back();
  }

  void recall(size_t place) {
    if (place >= memo_.size() || memo_[place] == nullptr) refuse("the pickle recalls a value that it never had");
    push(*memo_[place]);
  }

  /// Class and arguments. LibTorch drops the arguments, and makes the object when its state follows.
  void make_object() {
    const Values values = take_values(2);
    if (values[0]->kind != Kind::Function) refuse("the pickle makes an object of something that is no class");
    if (is_for_libtorch() && values[1]->kind != Kind::Tuple) refuse("an object's arguments are no tuple");
    PickleValue& object = made(values[0]->text == "collections.OrderedDict" ? Kind::Dictionary : Kind::Object);
    object.text = values[0]->text;
    object.fresh = true;
  }

  /// The state of an object, which is not needed.
  void build() {
    const Values values = take_values(2);
    const bool object =
        values[0]->kind == Kind::Object || values[0]->kind == Kind::Dictionary || values[0]->kind == Kind::Tensor;
    if (is_for_libtorch() ? !values[0]->fresh : !object) refuse("the pickle calls something that is no function");
    if (!is_for_libtorch()) return push(*values[0]);
    made(Kind::Object).text = values[0]->text;
  }

  void call() {
    const Values values = take_values(2);
    if (values[0]->kind != Kind::Function) refuse("the pickle calls something that is no function");
    const std::string_view name = values[0]->text;
    const auto& arguments = parts_of(*values[1], "a call's argument");
    constexpr std::string_view kLists = "torch.jit._pickle.";
    if (name == "torch._utils._rebuild_tensor_v2") {
      make_tensor(arguments);
    } else if (name == "torch._utils._rebuild_parameter" || name.compare(0, kLists.size(), kLists) == 0) {
      if (arguments.empty()) refuse("a call has no argument");
      if (name == "torch.jit._pickle.restore_type_tag") check_type_name(arguments);
      push(*arguments[0]);
    } else if (name.find("_rebuild_") != std::string_view::npos) {
      refuse(fmt::format("tensors made by {} are not supported", name));
    } else if (name == "collections.OrderedDict") {
      push_container(Kind::Dictionary);
    } else {
      made(Kind::Object).text = name;
    }
  }

  /// LibTorch's parser of types recurses.
  static void check_type_name(const std::vector<PickleValue*>& arguments) {
    if (arguments.size() != 2 || arguments[1]->kind != Kind::Text) refuse("a type has no name");
    int depth = 0;
    for (const char letter : arguments[1]->text) {
      depth += letter == '[' || letter == '(' ? 1 : letter == ']' || letter == ')' ? -1 : 0;
      if (depth > kDeepestTypeName) refuse("a type's name is nested too deeply");
    }
  }

  void make_tensor(const std::vector<PickleValue*>& arguments) {
    const TensorShape shape = checked_shape(arguments);
    const PickleValue& storage = *arguments[0];
    made_bytes_ += shape.bytes;
    if (made_bytes_ > kFreeSharing + kMostSharing * record_bytes_)
      refuse("its tensors share more data than any model's");
    PickleValue& value = made(Kind::Tensor);
    if (records_.read) {
      value.tensor =
          torch::empty({0}, storage.type).set_(bytes_of(storage).storage(), shape.offset, shape.sizes, shape.strides);
    }
  }

  /// The record, read once, in as many bytes as its first description says.
  torch::Tensor bytes_of(const PickleValue& storage) {
    const std::string record(storage.text);
    auto& kept = read_[record];
    const uint64_t wanted = static_cast<uint64_t>(storage.number) * torch::elementSize(storage.type);
    if (!kept.defined()) {
      kept = make_bytes(static_cast<int64_t>(records_.size(record)));
      records_.read(record, kept.data_ptr());
      if (storage.type == torch::kBool) kept.ne_(0);
    }
    if (static_cast<uint64_t>(kept.numel()) < wanted) refuse(fmt::format("the data record '{}' is damaged", record));
    return kept;
  }

  /// ("storage", type, record, device, elements).
  void push_storage() {
    const Values values = take_values(1);
    const auto& parts = parts_of(*values[0], "a data record's description");
    if (parts.size() != 5 || parts[0]->text != "storage" || parts[1]->kind != Kind::StorageType ||
        parts[2]->kind != Kind::Text || parts[3]->kind != Kind::Text) {
      refuse("a data record is described wrongly");
    }
    if (parts[3]->text != "cpu" && parts[3]->text.compare(0, 4, "cuda") != 0) {
      refuse(fmt::format("its data lies on the device '{}'", parts[3]->text));
    }
    PickleValue& storage = made(Kind::Storage);
    storage.type = parts[1]->type;
    storage.text = parts[2]->text;
    const std::string record(storage.text);
    // The archive would cut the name there, and take many names for one entry.
    if (record.find('\0') != std::string::npos) refuse("a data record has an impossible name");
    const auto [known, fresh] = types_.emplace(record, storage.type);
    if (known->second != storage.type) refuse(fmt::format("the data record '{}' has two types", record));
    const uint64_t size = records_.size(record);
    if (fresh) record_bytes_ += size;
    const auto elements = static_cast<uint64_t>(count_of(*parts[4], "a data record's size"));
    if (elements > kMostBytes || (elements > 0 && elements * torch::elementSize(storage.type) > size)) {
      refuse(fmt::format("the data record '{}' is shorter than its description", record));
    }
    storage.number = static_cast<int64_t>(elements);
  }

  std::string_view pickle_;
  const PickleRecords& records_;
  std::deque<std::string>& names_;
  std::deque<PickleValue>& values_;
  PickleValue &none_ = values_.emplace_back(), &true_ = values_.emplace_back(), &false_ = values_.emplace_back();
  size_t place_ = 0, containers_ = 0, pushed_ = 0;
  uint64_t record_bytes_ = 0, made_bytes_ = 0;
  std::unordered_map<std::string, torch::ScalarType> types_;  ///< of records
  std::unordered_map<std::string, torch::Tensor> read_;       ///< records
  Values stack_, memo_;
  std::vector<size_t> marks_;
};

}  // namespace

const PickleValue* PickleValue::find(std::string_view key) const {
  if (kind != Kind::Dictionary) return nullptr;
  for (size_t i = parts.size(); i >= 2; i -= 2) {
    if (parts[i - 2]->kind == Kind::Text && parts[i - 2]->text == key) return parts[i - 1];
  }
  return nullptr;
}

Pickle::Pickle(std::string bytes, const PickleRecords& records) : bytes_(std::move(bytes)) {
  root_ = PickleWalk(bytes_, records, names_, values_).run();
}

Pickle read_torch_pickle(const ZipFile& file) {
  constexpr std::string_view kName = "data.pkl";
  std::string found;
  for (const auto& name : file.names()) {
    const bool fits = name == kName || (name.size() > kName.size() && name[name.size() - kName.size() - 1] == '/' &&
                                        name.compare(name.size() - kName.size(), kName.size(), kName) == 0);
    if (fits && !found.empty()) refuse("it holds two pickles of the name data.pkl");
    if (fits) found = name;
  }
  if (found.empty()) refuse("it has no entry data.pkl");
  const std::string root = found.substr(0, found.size() - kName.size());
  if (file.has(root + "byteorder") && file.read(root + "byteorder") != "little") {
    refuse("its numbers begin with the highest byte");
  }
  const std::string folder = root + "data/";
  return Pickle(file.read(found),
                {[&](const std::string& record) { return file.size(folder + record); },
                 [&](const std::string& record, void* place) { file.read_into(folder + record, place); },
                 {}});
}

}  // namespace fercli
