#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/team.hpp"

namespace fercli {

/// Files that one process reads at a time: a video by itself, or pictures that go in a batch.
using FileBlock = std::vector<size_t>;
std::vector<FileBlock> blocks_of(const std::vector<std::string>& files);

/// Hands the files out to the team, block by block, and gives the lines of each block to `take` when it is complete, in
/// the order of the blocks. They are kept on the disk until then. `folder` goes to the members. What a member that is
/// gone was reading is read again by another; where none is left, `read_here` reads it. Throws RunError where a member
/// says that it cannot go on, Interrupted.
void lead_reading(Team& team, const std::vector<std::string>& files, const std::string& folder,
                  const std::function<void(const std::string& line)>& take,
                  const std::function<void(const FileBlock& block)>& read_here);

/// Asks the members to stop, and waits until they are gone, or as long as their patience lasts.
void end_reading(Team& team);

/// A member's side: reads blocks until there are no more. `files` are the leader's, in which a block's numbers count: a
/// folder may hold others by now. `read` gives its lines, one at a time, to `put`.
void help_reading(
    Team& team,
    const std::function<void(const std::vector<std::string>& files, const FileBlock& block, const std::string& folder,
                             const std::function<void(const std::string& line)>& put)>& read);

}  // namespace fercli
