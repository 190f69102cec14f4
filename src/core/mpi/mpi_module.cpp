#include "core/mpi/mpi_module.hpp"

#define OMPI_SKIP_MPICXX 1  // the C interface is enough
#include <mpi.h>

#include <algorithm>
#include <vector>

namespace {

constexpr int kTag = 19, kSwapTag = 20;
constexpr long long kPiece = 1LL << 30;  // MPI counts in int

}  // namespace

int fercli_mpi_open(int* number, int* count) {
  int given = 0;
  const int error = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &given);
  if (error != MPI_SUCCESS) return error;
  MPI_Comm_rank(MPI_COMM_WORLD, number);
  MPI_Comm_size(MPI_COMM_WORLD, count);
  return MPI_SUCCESS;
}

int fercli_mpi_send(int to, const void* bytes, long long size) {
  return MPI_Send(bytes, static_cast<int>(size), MPI_BYTE, to, kTag, MPI_COMM_WORLD);
}

long long fercli_mpi_waiting(int* from) {
  int there = 0, size = 0;
  MPI_Status status;
  MPI_Iprobe(MPI_ANY_SOURCE, kTag, MPI_COMM_WORLD, &there, &status);
  if (!there) return -1;
  MPI_Get_count(&status, MPI_BYTE, &size);
  *from = status.MPI_SOURCE;
  return size;
}

int fercli_mpi_receive(int from, void* bytes, long long size) {
  return MPI_Recv(bytes, static_cast<int>(size), MPI_BYTE, from, kTag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

int fercli_mpi_sizes(const long long* mine, long long* theirs) {
  return MPI_Alltoall(mine, 1, MPI_LONG_LONG, theirs, 1, MPI_LONG_LONG, MPI_COMM_WORLD);
}

int fercli_mpi_swap(const void* const* parts, const long long* sizes, void* const* into, const long long* their_sizes) {
  int count = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &count);
  std::vector<MPI_Request> pending;
  for (int rank = 0; rank < count; ++rank) {
    for (long long at = 0; at < their_sizes[rank]; at += kPiece) {
      MPI_Irecv(static_cast<char*>(into[rank]) + at, static_cast<int>(std::min(kPiece, their_sizes[rank] - at)),
                MPI_BYTE, rank, kSwapTag, MPI_COMM_WORLD, &pending.emplace_back());
    }
  }
  for (int rank = 0; rank < count; ++rank) {
    for (long long at = 0; at < sizes[rank]; at += kPiece) {
      MPI_Isend(static_cast<const char*>(parts[rank]) + at, static_cast<int>(std::min(kPiece, sizes[rank] - at)),
                MPI_BYTE, rank, kSwapTag, MPI_COMM_WORLD, &pending.emplace_back());
    }
  }
  return MPI_Waitall(static_cast<int>(pending.size()), pending.data(), MPI_STATUSES_IGNORE);
}

void fercli_mpi_close() {
  int finished = 0;
  MPI_Finalized(&finished);
  if (!finished) MPI_Finalize();
}
