// MPI processes, as a team or as ranks. MPI itself is in a module that is loaded here, so that the program starts as
// fast, and runs, without it.
#include "core/mpi_team.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <limits>
#include <thread>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/mpi/mpi_module.hpp"

namespace fercli {

namespace {

constexpr const char* kModule = "libfercli_mpi.so";
constexpr auto kBetweenLooks = std::chrono::microseconds(500);  ///< MPI's own waiting would keep a core busy
constexpr double kMpiPatience = 0.5;  ///< mpirun kills what does not end soon after an interrupt
const std::string kLeave = "";        ///< the leader's last message

struct MpiModule {
  decltype(&fercli_mpi_open) open;
  decltype(&fercli_mpi_send) send;
  decltype(&fercli_mpi_waiting) waiting;
  decltype(&fercli_mpi_receive) receive;
  decltype(&fercli_mpi_sizes) sizes;
  decltype(&fercli_mpi_swap) swap;
  decltype(&fercli_mpi_close) close;
};

/// Beside the program.
std::filesystem::path place_of_module() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / kModule;
}

template <class Function>
void find_symbol(void* library, const char* name, Function** function) {
  *function = reinterpret_cast<Function*>(::dlsym(library, name));
  if (*function == nullptr) throw UserError(fmt::format("{}: is of another version of fercli", kModule));
}

MpiModule load_module() {
  const auto place = place_of_module();
  std::error_code error;
  if (!std::filesystem::exists(place, error)) {
    throw UserError(
        "mpirun: this fercli was built without MPI; install libopenmpi-dev and build it again, or use --processes N");
  }
  // Global, because MPI loads parts of its own that look for it. It stays loaded.
  void* library = ::dlopen(place.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    throw UserError("mpirun: MPI's library cannot be loaded here; install openmpi-bin, or use --processes N");
  }
  MpiModule module{};
  find_symbol(library, "fercli_mpi_open", &module.open);
  find_symbol(library, "fercli_mpi_send", &module.send);
  find_symbol(library, "fercli_mpi_waiting", &module.waiting);
  find_symbol(library, "fercli_mpi_receive", &module.receive);
  find_symbol(library, "fercli_mpi_sizes", &module.sizes);
  find_symbol(library, "fercli_mpi_swap", &module.swap);
  find_symbol(library, "fercli_mpi_close", &module.close);
  return module;
}

struct Joined {
  MpiModule mpi;
  int number = 0, count = 1;
};

Joined join_world() {
  Joined joined{load_module()};
  if (joined.mpi.open(&joined.number, &joined.count) != 0) throw UserError("mpirun: MPI does not start");
  return joined;
}

class MpiTeam : public Team {
 public:
  explicit MpiTeam(const Joined& joined) : mpi_(joined.mpi), number_(joined.number), count_(joined.count) {
    for (int64_t member = 1; member < count_ && number_ == 0; ++member) members_.push_back(member);
  }

  ~MpiTeam() override {
    if (interrupted()) return;  // mpirun ends all of them, and leaving would wait for one that it has ended
    for (const int64_t member : members_) mpi_.send(static_cast<int>(member), kLeave.data(), 0);
    mpi_.close();
  }

  int64_t number() const override { return number_; }
  std::vector<int64_t> members() const override { return members_; }
  std::string name_of(int64_t member) const override { return fmt::format("rank {}", member); }

  void send(int64_t to, const std::string& text) override {
    if (text.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
      throw RunError("mpirun: a message is larger than 2 GiB; use fewer images at a time (--limit, --shard)");
    }
    mpi_.send(static_cast<int>(to), text.data(), static_cast<long long>(text.size()));
  }

  std::optional<Message> receive(double seconds) override {
    const auto start = Clock::now();
    for (;;) {
      int from = 0;
      const long long size = mpi_.waiting(&from);
      if (size >= 0) return take(from, static_cast<size_t>(size));
      if (seconds_since(start) >= seconds) return {};
      std::this_thread::sleep_for(kBetweenLooks);
    }
  }

  double patience() const override { return kMpiPatience; }

 private:
  Message take(int from, size_t size) const {
    std::string text(size, '\0');
    mpi_.receive(from, text.data(), static_cast<long long>(size));
    if (number_ != 0 && text == kLeave) return {from, {}, "has ended"};
    return {from, std::move(text)};
  }

  MpiModule mpi_;
  int64_t number_, count_;
  std::vector<int64_t> members_;
};

class MpiRanks : public Ranks {
 public:
  explicit MpiRanks(const Joined& joined) : joined_(joined) {}

  int64_t number() const override { return joined_.number; }
  int64_t count() const override { return joined_.count; }
  void finish() override { joined_.mpi.close(); }

 private:
  std::vector<std::string> swap(std::vector<std::string> parts) override {
    const size_t count = parts.size();
    std::vector<long long> sizes, their_sizes(count);
    std::vector<const void*> from;
    for (const auto& part : parts) {
      sizes.push_back(static_cast<long long>(part.size()));
      from.push_back(part.data());
    }
    joined_.mpi.sizes(sizes.data(), their_sizes.data());
    std::vector<std::string> received;
    for (const long long size : their_sizes) received.emplace_back(static_cast<size_t>(size), '\0');
    std::vector<void*> into;
    for (auto& part : received) into.push_back(part.data());
    joined_.mpi.swap(from.data(), sizes.data(), into.data(), their_sizes.data());
    return received;
  }

  Joined joined_;
};

}  // namespace

std::unique_ptr<Team> join_mpi() {
  const Joined joined = join_world();
  return joined.count > 1 ? std::make_unique<MpiTeam>(joined) : nullptr;
}

std::unique_ptr<Ranks> join_mpi_ranks() {
  return std::make_unique<MpiRanks>(join_world());
}

}  // namespace fercli
