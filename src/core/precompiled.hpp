#pragma once
// The slow headers, compiled once. <torch/torch.h> would triple the cost of every file; the few that build modules or
// use optimisers include <torch/nn/module.h> and <torch/optim.h> themselves.
#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
