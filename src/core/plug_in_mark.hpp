#pragma once

/// By these bytes the mark is found in a file.
#define FERCLI_PLUG_IN_MARK_START \
  "\x01"                          \
  "fercli plug-in\n"

/// Lines "version 0.1.0", "headers 1a2b…", "LibTorch 1.13.1", "C++ library libstdc++ (strings 1)" after the start.
extern "C" [[gnu::visibility("default")]] const char fercli_plug_in_mark[];
