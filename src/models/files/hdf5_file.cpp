#include "models/files/hdf5_file.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <limits>

#include "core/error.hpp"
#include "core/files.hpp"

namespace fercli {

namespace {

constexpr hsize_t kMostTexts = 100000;
constexpr size_t kLongestText = size_t{1} << 26;
constexpr int64_t kMostHdf5Growth = 64;  // of all data sets together: they may be compressed

/// Closes a handle of the library when it goes out of scope.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  operator hid_t() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

hid_t id_of(const std::shared_ptr<void>& file) {
  return *static_cast<hid_t*>(file.get());
}

std::shared_ptr<void> own(hid_t id) {
  return {new hid_t(id), [](void* held) {
            H5Fclose(*static_cast<hid_t*>(held));
            delete static_cast<hid_t*>(held);
          }};
}

void silence() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

/// Text padded with zeros or blanks, as fixed-length strings are.
std::string trimmed(const char* begin, size_t length) {
  std::string text(begin, length);
  const size_t end = text.find('\0');
  return end == std::string::npos ? text : text.substr(0, end);
}

/// A conversion that leaves the elements as they stand in the file.
herr_t leave_unconverted(hid_t, hid_t, H5T_cdata_t*, size_t, size_t, size_t, void*, void*, hid_t) {
  return 0;
}

/// What the texts of an attribute say of their lengths, in all: each stands in the file as its length in four bytes
/// and where it is, and many may be in one place.
uint64_t claimed_length(hid_t attribute, hid_t type, size_t count) {
  const size_t width = H5Aget_storage_size(attribute) / count;
  if (width < sizeof(uint32_t)) return UINT64_MAX;
  const Handle reference(H5Tcreate(H5T_OPAQUE, width), H5Tclose);
  std::vector<unsigned char> bytes(width * count);
  H5Tregister(H5T_PERS_SOFT, "unconverted", type, reference, leave_unconverted);
  const herr_t done = H5Aread(attribute, reference, bytes.data());
  H5Tunregister(H5T_PERS_SOFT, "unconverted", type, reference, leave_unconverted);
  if (done < 0) return UINT64_MAX;
  uint64_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i += width) {
    for (size_t k = 0; k < sizeof(uint32_t); ++k) sum += uint64_t{bytes[i + k]} << 8 * k;
  }
  return sum;
}

std::vector<std::string> variable_texts(hid_t attribute, hid_t type, hid_t space, size_t count, uint64_t& left) {
  const uint64_t claimed = claimed_length(attribute, type, count);
  if (claimed > left) return {};
  left -= claimed;
  std::vector<char*> pointers(count, nullptr);
  std::vector<std::string> texts;
  const Handle memory(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(memory, H5T_VARIABLE);
  H5Tset_cset(memory, H5Tget_cset(type));
  if (H5Aread(attribute, memory, pointers.data()) < 0) return texts;
  for (const char* text : pointers) texts.emplace_back(text == nullptr ? "" : text);
  H5Dvlen_reclaim(memory, space, H5P_DEFAULT, pointers.data());
  return texts;
}

std::vector<std::string> fixed_texts(hid_t attribute, hid_t type, size_t count, uint64_t& left) {
  const size_t length = H5Tget_size(type);
  if (length == 0 || length > kLongestText || count > kLongestText / length || length * count > left) return {};
  left -= length * count;
  std::vector<char> buffer(length * count);
  if (H5Aread(attribute, type, buffer.data()) < 0) return {};
  std::vector<std::string> texts;
  for (size_t i = 0; i < count; ++i) texts.push_back(trimmed(buffer.data() + i * length, length));
  return texts;
}

/// `left`: bytes that texts may have; those of this attribute are taken off.
std::vector<std::string> read_texts(hid_t object, const std::string& name, uint64_t& left) {
  if (H5Aexists(object, name.c_str()) <= 0) return {};
  const Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose);
  if (!attribute) return {};
  const Handle type(H5Aget_type(attribute), H5Tclose), space(H5Aget_space(attribute), H5Sclose);
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  if (H5Tget_class(type) != H5T_STRING || count <= 0 || static_cast<hsize_t>(count) > kMostTexts) return {};
  return H5Tis_variable_str(type) > 0 ? variable_texts(attribute, type, space, static_cast<size_t>(count), left)
                                      : fixed_texts(attribute, type, static_cast<size_t>(count), left);
}

/// At most one deflate filter, which a few bytes can grow a thousandfold, and those that leave the size as it is.
bool has_plain_filters(hid_t creation) {
  int deflating = 0;
  for (int i = 0; i < H5Pget_nfilters(creation); ++i) {
    unsigned flags = 0;
    size_t values = 0;
    const auto filter =
        H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, nullptr);
    if (filter == H5Z_FILTER_DEFLATE) ++deflating;
    const auto plain = {H5Z_FILTER_DEFLATE, H5Z_FILTER_SHUFFLE, H5Z_FILTER_FLETCHER32};
    if (std::find(plain.begin(), plain.end(), filter) == plain.end()) return false;
  }
  return deflating <= 1;
}

/// A chunk is decompressed as a whole, even for a single element.
bool has_fitting_chunks(hid_t creation, int rank, int64_t elements) {
  if (H5Pget_layout(creation) != H5D_CHUNKED) return true;
  std::vector<hsize_t> sides(static_cast<size_t>(rank));
  if (H5Pget_chunk(creation, rank, sides.data()) != rank) return false;
  const hsize_t most = 4 * static_cast<hsize_t>(elements) + (1 << 20);
  hsize_t chunk = 1;
  for (const hsize_t side : sides) {
    if (side == 0 || chunk > most / side) return false;
    chunk *= side;
  }
  return true;
}

}  // namespace

Hdf5File::Hdf5File(const std::filesystem::path& path) : name_(path.string()) {
  silence();
  require_file(path);
  std::error_code error;
  size_ = static_cast<int64_t>(std::filesystem::file_size(path, error));
  texts_left_ = static_cast<uint64_t>(size_);
  const hid_t id = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (id < 0) throw UserError(fmt::format("{}: is a truncated or damaged HDF5 file", name_));
  file_ = own(id);
}

Hdf5File::Hdf5File(const std::string& bytes, const std::string& name)
    : name_(name), size_(static_cast<int64_t>(bytes.size())), texts_left_(bytes.size()) {
  silence();
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fapl_core(access, 1 << 20, /*backing_store=*/0);
  H5Pset_file_image(access, const_cast<char*>(bytes.data()), bytes.size());
  const hid_t id = H5Fopen(name.c_str(), H5F_ACC_RDONLY, access);
  if (id < 0) throw UserError(fmt::format("{}: is a truncated or damaged HDF5 file", name_));
  file_ = own(id);
}

bool Hdf5File::has(const std::string& path) const {
  // The library asks for every step of the way, and would follow a link out of the file.
  for (size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string step = path.substr(0, end);
    H5L_info_t link;
    if (H5Lexists(id_of(file_), step.c_str(), H5P_DEFAULT) <= 0) return false;
    if (H5Lget_info(id_of(file_), step.c_str(), &link, H5P_DEFAULT) < 0) return false;
    if (link.type != H5L_TYPE_HARD) {
      throw UserError(fmt::format("{}: '{}' is a link that may lead to another file, which is refused", name_, step));
    }
  }
  return true;
}

std::vector<std::string> Hdf5File::texts_in(const std::string& group, const std::string& attribute,
                                            int64_t most_pieces) const {
  if (group != "/" && !has(group)) return {};
  const Handle object(H5Oopen(id_of(file_), group.c_str(), H5P_DEFAULT), H5Oclose);
  if (!object) return {};
  auto texts = read_texts(object, attribute, texts_left_);
  if (!texts.empty()) return texts;
  for (int64_t piece = 0; piece < most_pieces; ++piece) {
    const auto more = read_texts(object, fmt::format("{}{}", attribute, piece), texts_left_);
    if (more.empty()) break;
    texts.insert(texts.end(), more.begin(), more.end());
  }
  return texts;
}

std::vector<std::string> Hdf5File::texts(const std::string& group, const std::string& attribute) const {
  return texts_in(group, attribute, std::numeric_limits<int64_t>::max());
}

std::optional<std::string> Hdf5File::text(const std::string& group, const std::string& attribute) const {
  const auto found = texts_in(group, attribute, 1);
  if (found.empty()) return {};
  return found.front();
}

torch::Tensor Hdf5File::tensor(const std::string& path) const {
  const auto refuse = [&](const std::string& reason) {
    throw UserError(fmt::format("{}: the data set '{}' {}", name_, path, reason));
  };
  if (!has(path)) refuse("is missing");
  const Handle data(H5Dopen2(id_of(file_), path.c_str(), H5P_DEFAULT), H5Dclose);
  if (!data) refuse("is no data set");
  const Handle creation(H5Dget_create_plist(data), H5Pclose);
  const auto layout = H5Pget_layout(creation);
  const bool inside = layout == H5D_COMPACT || layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED;
  if (!inside || H5Pget_external_count(creation) != 0) refuse("refers to another file, which is refused");
  if (!has_plain_filters(creation)) refuse("is compressed in an unusual way");
  const Handle type(H5Dget_type(data), H5Tclose), space(H5Dget_space(data), H5Sclose);
  const auto kind = H5Tget_class(type);
  if ((kind != H5T_FLOAT && kind != H5T_INTEGER) || H5Tget_size(type) > sizeof(long double))
    refuse("does not hold numbers");
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0 || rank > 8) refuse("has no plain shape");
  std::vector<hsize_t> sides(static_cast<size_t>(rank));
  H5Sget_simple_extent_dims(space, sides.data(), nullptr);
  std::vector<int64_t> shape;
  int64_t elements = 1;
  for (const hsize_t side : sides) {
    if (side == 0 ||
        elements > (size_ * kMostHdf5Growth - read_) / static_cast<int64_t>(std::min<hsize_t>(side, INT64_MAX / 2))) {
      refuse("has an impossible size");
    }
    elements *= static_cast<int64_t>(side);
    shape.push_back(static_cast<int64_t>(side));
  }
  if (!has_fitting_chunks(creation, rank, elements)) refuse("has an impossible size");
  read_ += elements;
  auto values = torch::empty(shape, torch::kFloat32);
  if (H5Dread(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data_ptr()) < 0) refuse("is damaged");
  return values;
}

}  // namespace fercli
