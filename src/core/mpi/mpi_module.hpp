#pragma once

// What the module libfercli_mpi.so offers the program, which loads it only under mpirun: everything that needs MPI.
// Plain C, so that both sides agree about the names.

extern "C" {

/// Joins the other processes: this one's number, and how many they are. 0, or an error of MPI.
int fercli_mpi_open(int* number, int* count);

/// Sends so many bytes; waits until they are on their way.
int fercli_mpi_send(int to, const void* bytes, long long size);

/// Is a message there? Its size and sender; -1 where there is none.
long long fercli_mpi_waiting(int* from);

/// Takes the message that `fercli_mpi_waiting` found.
int fercli_mpi_receive(int from, void* bytes, long long size);

/// All call it with a size for each: what the others' parts for this one have.
int fercli_mpi_sizes(const long long* mine, long long* theirs);

/// All call it with a part for each, their own included; fills `into` with the parts for this one.
int fercli_mpi_swap(const void* const* parts, const long long* sizes, void* const* into, const long long* their_sizes);

/// Leaves the others; waits for them.
void fercli_mpi_close();
}
