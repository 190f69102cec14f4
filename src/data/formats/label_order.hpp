#pragma once

#include <string>

#include "core/error.hpp"

namespace fercli {

/// Thrown where a source has no label numbers of which ReadOptions::numbering could say the meaning.
class UnusedLabelOrder : public UserError {
 public:
  UnusedLabelOrder(const std::string& source, const std::string& labels)
      : UserError(source + ": " + labels +
                  ", so an order of label numbers (--data-labels) changes nothing; leave it out") {}
};

}  // namespace fercli
