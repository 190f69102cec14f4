// What a plug-in was built with, as text in its file: that is read before anything of it runs. Compiled into each
// plug-in, and into the program, which compares the two.
#include "core/plug_in_mark.hpp"

#include <torch/version.h>
#include <plug_in_headers.hpp>

#define FERCLI_TEXT_AS_IT_IS(text) #text
#define FERCLI_TEXT(macro) FERCLI_TEXT_AS_IT_IS(macro)

#if defined(_LIBCPP_VERSION)
#define FERCLI_STANDARD_LIBRARY "libc++ " FERCLI_TEXT(_LIBCPP_ABI_VERSION)
#elif defined(_GLIBCXX_DEBUG)
#define FERCLI_STANDARD_LIBRARY "libstdc++ (debugging, strings " FERCLI_TEXT(_GLIBCXX_USE_CXX11_ABI) ")"
#else
#define FERCLI_STANDARD_LIBRARY "libstdc++ (strings " FERCLI_TEXT(_GLIBCXX_USE_CXX11_ABI) ")"
#endif

const char fercli_plug_in_mark[] = FERCLI_PLUG_IN_MARK_START "version " FERCLI_VERSION
                                                             "\n"
                                                             "headers " FERCLI_HEADERS
                                                             "\n"
                                                             "LibTorch " TORCH_VERSION
                                                             "\n"
                                                             "C++ library " FERCLI_STANDARD_LIBRARY "\n";
