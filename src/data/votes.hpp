#pragma once

#include <string>

#include "core/observer.hpp"
#include "data/dataset.hpp"

namespace fercli {

/// The same images with votes and labels from a vote file such as FER+'s fer2013new.csv (Barsoum et al., ICMI 2016): a
/// table with a header, a column for each class, columns `unknown` and `NF` (no face) perhaps, and `Usage` and
/// `Image name`. Rows of a CSV are joined by their place in the file, image files by their name. `votes` holds each
/// class's share of the votes that went to classes; the label is the class with the most, of equals the label so far,
/// else the first. Images for which `unknown` or `NF` has the most votes are dropped. Classes that the data lacks are
/// added. Throws UserError: no such table, an image without votes, or of another split than the file says.
Dataset with_votes(Dataset data, const std::string& file, Observer& observer = Observer::none());

}  // namespace fercli
