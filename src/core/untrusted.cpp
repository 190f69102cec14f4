#include "core/untrusted.hpp"

#include <fmt/format.h>

#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <vector>

#include "core/zip_file.hpp"

namespace fercli {

namespace {

constexpr int kDeepestJson = 256;
constexpr int kDeepestTuple = 64;
constexpr size_t kMostContainers = 10000;  // lists and dictionaries may lie in each other; their destructors recurse
constexpr size_t kMostValues = size_t{1} << 21;
constexpr uint64_t kMostBytes = uint64_t{1} << 40;

[[noreturn]] void refuse(const std::string& reason) {
  throw std::runtime_error(reason);
}

/// What the check knows of a value on the pickle machine's stack.
struct Item {
  enum class Kind { Other, Integer, Text, Function, StorageType, Tuple, Storage };
  Kind kind = Kind::Other;
  int64_t number = 0;                              ///< Integer; StorageType and Storage: bytes of an element
  uint64_t bytes = 0;                              ///< Storage
  std::string_view text;                           ///< Text, Function, StorageType; the bytes lie elsewhere
  std::shared_ptr<const std::vector<Item>> parts;  ///< Tuple
  int depth = 0;
};

const std::map<std::string_view, int64_t>& element_sizes() {
  static const std::map<std::string_view, int64_t> sizes = {
      {"FloatStorage", 4}, {"DoubleStorage", 8}, {"HalfStorage", 2}, {"BFloat16Storage", 2}, {"LongStorage", 8},
      {"IntStorage", 4},   {"ShortStorage", 2},  {"CharStorage", 1}, {"ByteStorage", 1},     {"BoolStorage", 1}};
  return sizes;
}

const std::vector<Item>& parts_of(const Item& item, const char* what) {
  if (item.kind != Item::Kind::Tuple) refuse(fmt::format("{} is no tuple", what));
  return *item.parts;
}

int64_t integer_of(const Item& item, const char* what) {
  if (item.kind != Item::Kind::Integer || item.number < 0) refuse(fmt::format("{} is no count", what));
  return item.number;
}

/// Arguments of torch._utils._rebuild_tensor_v2: storage, offset, sizes, strides, …
void check_tensor(const std::vector<Item>& arguments) {
  if (arguments.size() < 6 || arguments[0].kind != Item::Kind::Storage) refuse("a tensor has no data");
  const auto &sizes = parts_of(arguments[2], "a tensor's shape"),
             &strides = parts_of(arguments[3], "a tensor's strides");
  if (sizes.size() != strides.size() || sizes.size() > 16) refuse("a tensor's strides do not fit its shape");
  uint64_t last = static_cast<uint64_t>(integer_of(arguments[1], "a tensor's offset")), count = 1;
  bool empty = false;
  for (size_t d = 0; d < sizes.size(); ++d) {
    const auto side = static_cast<uint64_t>(integer_of(sizes[d], "a tensor's side")),
               stride = static_cast<uint64_t>(integer_of(strides[d], "a tensor's stride"));
    empty = empty || side == 0;
    if (side > kMostBytes || (side > 0 && count > kMostBytes / side) || (side > 1 && stride > kMostBytes / side)) {
      refuse("a tensor is oversized");
    }
    count *= std::max<uint64_t>(side, 1);
    last += side > 0 ? (side - 1) * stride : 0;
  }
  const uint64_t elements = arguments[0].bytes / static_cast<uint64_t>(arguments[0].number);
  if (!empty && (last >= elements || count > elements)) refuse("a tensor reaches beyond its data");
}

/// One pass over a pickle of protocol 2, in the subset that LibTorch's machine runs.
class PickleWalk {
 public:
  PickleWalk(std::string_view pickle, const std::function<uint64_t(const std::string&)>& record_size,
             bool builds_objects)
      : pickle_(pickle), record_size_(record_size), builds_objects_(builds_objects) {}

  /// Places of instructions that LibTorch lacks, with others in their stead: 0x81 takes a value away, 0x87 makes a
  /// tuple.
  const std::vector<std::pair<size_t, std::string>>& replaced() const { return replaced_; }

  void run() {
    if (take(2) != std::string_view("\x80\x02", 2)) refuse("it is no pickle of protocol 2");
    while (step(take(1)[0])) {
    }
    if (stack_.size() != 1) refuse("the pickle does not leave one value");
  }

 private:
  using Kind = Item::Kind;

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
      case '\x88':
      case '\x89':
        push({});
        break;
      case 'G':
        take(8);
        push({});
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
        push_text(number<uint32_t>());
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
        push_container();
        break;
      case ')':
        push_tuple({});
        break;
      case '\x85':
      case '\x86':
      case '\x87':
        push_tuple(take_items(static_cast<size_t>(static_cast<unsigned char>(code) - 0x84)));
        break;
      case 't':
        push_tuple(take_marked());
        break;
      case 'l':
        take_marked();
        push_container();
        break;
      case 'd':
        require_pairs(take_marked());
        push_container();
        break;
      case 'e':
        take_marked();
        require_items(1);
        break;
      case 'u':
        require_pairs(take_marked());
        require_items(1);
        break;
      case 'a':
        take_items(1);
        require_items(1);
        break;
      case 's':
        take_items(3);
        replaced_.emplace_back(place_ - 1, "\x87");
        push({});
        break;
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
        take_items(1);
        require_items(1);
        break;
      case 'R':
        call(/*builds=*/false);
        break;
      case 'b':
        call(/*builds=*/true);
        break;
      case 'Q':
        push_storage();
        break;
      default:
        refuse(fmt::format("the pickle has the unknown instruction {:#04x}", static_cast<unsigned char>(code)));
    }
    return true;
  }

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

  void push(Item item) {
    if (++pushed_ > kMostValues) refuse("the pickle holds more values than any model");
    stack_.push_back(std::move(item));
  }

  void push_integer(int64_t value) {
    Item item;
    item.kind = Kind::Integer;
    item.number = value;
    push(item);
  }

  void push_long() {
    if (number<uint8_t>() != 8) refuse("an integer does not have eight bytes");
    push_integer(number<int64_t>());
  }

  void push_text(size_t length) {
    Item item;
    item.kind = Kind::Text;
    item.text = take(length);
    push(std::move(item));
  }

  std::string_view line() {
    const size_t end = pickle_.find('\n', place_);
    if (end == std::string_view::npos) refuse("the pickle is truncated");
    const std::string_view text = take(end - place_);
    take(1);
    return text;
  }

  /// LibTorch pushes the element type for torch.FloatStorage and its like, and the number of a function for all others.
  void push_global() {
    Item item;
    const std::string_view module = line(), name = line();
    const auto type = module == "torch" ? element_sizes().find(name) : element_sizes().end();
    item.kind = type == element_sizes().end() ? Kind::Function : Kind::StorageType;
    item.number = item.kind == Kind::StorageType ? type->second : 0;
    item.text = names_.emplace_back(fmt::format("{}.{}", module, name));
    if (item.kind == Kind::Function && item.text.find("Storage") != std::string_view::npos) {
      refuse(fmt::format("data of the type {} is not supported", item.text));
    }
    push(std::move(item));
  }

  void push_container() {
    if (++containers_ > kMostContainers) refuse("the pickle holds more lists and dictionaries than any model");
    push({});
  }

  void push_tuple(std::vector<Item> parts) {
    Item item;
    item.kind = Kind::Tuple;
    for (const auto& part : parts) item.depth = std::max(item.depth, part.depth + 1);
    if (item.depth > kDeepestTuple) refuse("its tuples are nested too deeply");
    item.parts = std::make_shared<std::vector<Item>>(std::move(parts));
    push(std::move(item));
  }

  void require_items(size_t count) const {
    if (stack_.size() < count) refuse("the pickle takes from an empty stack");
  }

  std::vector<Item> take_items(size_t count) {
    require_items(count);
    const auto first = stack_.end() - static_cast<int64_t>(count);
    std::vector<Item> items(std::make_move_iterator(first), std::make_move_iterator(stack_.end()));
    stack_.erase(first, stack_.end());
    return items;
  }

  std::vector<Item> take_marked() {
    if (marks_.empty() || marks_.back() > stack_.size()) refuse("the pickle takes from an empty stack");
    const size_t count = stack_.size() - marks_.back();
    marks_.pop_back();
    return take_items(count);
  }

  static void require_pairs(const std::vector<Item>& items) {
    if (items.size() % 2 != 0) refuse("a dictionary has a key without value");
  }

  void remember(size_t place) {
    require_items(1);
    if (place > std::min(pickle_.size(), kMostValues)) refuse("the pickle remembers more values than it has");
    if (place >= memo_.size()) memo_.resize(place + 1);
    memo_[place] = stack_.back();
  }

  void recall(size_t place) {
    if (place >= memo_.size()) refuse("the pickle recalls a value that it never had");
    push(memo_[place]);
  }

  void call(bool builds) {
    const size_t instruction = place_ - 1;
    const auto items = take_items(2);
    if (builds && builds_objects_ && items[0].kind == Kind::Other) {
      replaced_.emplace_back(instruction, "\x81");
      push({});
      return;
    }
    if (items[0].kind != Kind::Function) refuse("the pickle calls something that is no function");
    const std::string_view name = items[0].text;
    if (name == "collections.OrderedDict") replaced_.emplace_back(instruction, "\x81\x81}");
    if (name == "torch._utils._rebuild_tensor_v2") {
      check_tensor(parts_of(items[1], "a tensor's description"));
    } else if (name.find("_rebuild_") != std::string_view::npos && name != "torch._utils._rebuild_parameter") {
      refuse(fmt::format("tensors made by {} are not supported", name));
    }
    push({});
  }

  /// ("storage", type, record, device, elements).
  void push_storage() {
    const auto items = take_items(1);
    const auto& parts = parts_of(items[0], "a data record's description");
    if (parts.size() != 5 || parts[0].text != "storage" || parts[1].kind != Kind::StorageType ||
        parts[2].kind != Kind::Text || parts[3].kind != Kind::Text) {
      refuse("a data record is described wrongly");
    }
    if (parts[3].text != "cpu" && parts[3].text.compare(0, 4, "cuda") != 0) {
      refuse(fmt::format("its data lies on the device '{}'", parts[3].text));
    }
    Item item;
    item.kind = Kind::Storage;
    item.number = parts[1].number;
    const auto elements = static_cast<uint64_t>(integer_of(parts[4], "a data record's size"));
    if (elements > kMostBytes ||
        (elements > 0 && elements * static_cast<uint64_t>(item.number) > record_size_(std::string(parts[2].text)))) {
      refuse(fmt::format("the data record '{}' is shorter than its description", parts[2].text));
    }
    item.bytes = elements * static_cast<uint64_t>(item.number);
    push(std::move(item));
  }

  std::string_view pickle_;
  const std::function<uint64_t(const std::string&)>& record_size_;
  bool builds_objects_;
  std::vector<std::pair<size_t, std::string>> replaced_;
  size_t place_ = 0, containers_ = 0, pushed_ = 0;
  std::deque<std::string> names_;  ///< of functions and types, which stand in the pickle in two parts
  std::vector<Item> stack_, memo_;
  std::vector<size_t> marks_;
};

}  // namespace

nlohmann::json parse_untrusted_json(const std::string& text) {
  const auto shallow = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > kDeepestJson) refuse(fmt::format("is nested more than {} deep", kDeepestJson));
    return true;
  };
  return nlohmann::json::parse(text, shallow);
}

void check_pickle(std::string_view pickle, const std::function<uint64_t(const std::string& record)>& record_size) {
  PickleWalk(pickle, record_size, /*builds_objects=*/false).run();
}

std::string plain_pickle(std::string_view pickle,
                         const std::function<uint64_t(const std::string& record)>& record_size) {
  PickleWalk walk(pickle, record_size, /*builds_objects=*/true);
  walk.run();
  std::string plain(pickle);
  for (auto change = walk.replaced().rbegin(); change != walk.replaced().rend(); ++change) {
    plain.replace(change->first, 1, change->second);
  }
  return plain;
}

void check_torch_file(const ZipFile& file) {
  constexpr std::string_view kEnding = ".pkl";
  for (const auto& name : file.names()) {
    const bool debugging = name.size() > 9 && name.compare(name.size() - 9, 9, "debug_pkl") == 0;
    const bool pickle = name.size() > 4 && name.compare(name.size() - 4, 4, kEnding) == 0;
    if (!pickle && !debugging) continue;
    const std::string folder = name.substr(0, name.rfind('.')) + "/";
    check_pickle(file.read(name), [&](const std::string& record) { return file.size(folder + record); });
  }
}

}  // namespace fercli
