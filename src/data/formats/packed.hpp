#pragma once

#include <string>

#include "core/container.hpp"
#include "data/dataset.hpp"

namespace fercli {

/// A data set as a container of kind "dataset": what `.ferpack` files and saved adversarial images hold.
Container pack(const Dataset& data);

/// The data set of such a container, called `name`. Throws UserError: a part is missing, or the parts do not fit
/// together (shapes, types, labels beyond the classes, unknown splits).
Dataset unpack(const Container& container, const std::string& name);

}  // namespace fercli
