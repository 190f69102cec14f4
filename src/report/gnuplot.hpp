#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fercli {

/// A figure's size in pixels at 2x density: 1800 wide is a page.
struct FigureSize {
  int width, height;
};

/// Okabe and Ito's colours, told apart with every kind of colour blindness, as "#rrggbb".
namespace colour {
constexpr const char* kBlue = "#0072b2";
constexpr const char* kOrange = "#e69f00";
constexpr const char* kGreen = "#009e73";
constexpr const char* kVermilion = "#d55e00";
constexpr const char* kSky = "#56b4e9";
constexpr const char* kPurple = "#cc79a7";
constexpr const char* kGrey = "#8a8a8a";
}  // namespace colour

/// A gnuplot string that stands for exactly this text.
std::string gnuplot_text(const std::string& text);

/// A named inline data block: `$name << EOD`, one line per row.
std::string data_block(const std::string& name, const std::vector<std::string>& rows);

/// Runs the script in gnuplot (terminal, fonts and the house style are set before it) and writes `path` by rename: SVG
/// for ".svg", else PNG. Returns false after a warning on stderr when gnuplot is missing or fails. Throws UserError
/// when the place cannot be written.
bool draw_figure(const std::string& script, FigureSize size, const std::filesystem::path& path);

}  // namespace fercli
