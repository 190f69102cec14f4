#include "core/mpi/mpi_module.hpp"

#define OMPI_SKIP_MPICXX 1  // the C interface is enough
#include <mpi.h>

namespace {

constexpr int kTag = 19;

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

void fercli_mpi_close() {
  int finished = 0;
  MPI_Finalized(&finished);
  if (!finished) MPI_Finalize();
}
