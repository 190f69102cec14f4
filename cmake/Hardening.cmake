# What the compiler and the linker can do against errors that hostile files would use: guards on the stack, checked
# copies, and a program that lies somewhere else each time, with nothing writable in it that is called.
include(CheckCXXSourceCompiles)

set(FERCLI_FORTIFY 2)
set(CMAKE_REQUIRED_FLAGS "-O1 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
check_cxx_source_compiles("#include <cstdlib>
  #if !defined(__USE_FORTIFY_LEVEL) || __USE_FORTIFY_LEVEL < 3
  #error
  #endif
  int main() { return 0; }" FERCLI_HAS_FORTIFY_3)
unset(CMAKE_REQUIRED_FLAGS)
if(FERCLI_HAS_FORTIFY_3)
  set(FERCLI_FORTIFY 3)
endif()

# Release builds only: checked copies need an optimiser, and sanitizers watch more by themselves.
function(fercli_harden TARGET)
  if(NOT CMAKE_BUILD_TYPE STREQUAL Release OR FERCLI_SANITIZE)
    return()
  endif()
  target_compile_options(${TARGET} PRIVATE -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${FERCLI_FORTIFY})
  get_target_property(TYPE ${TARGET} TYPE)
  if(NOT TYPE STREQUAL MODULE_LIBRARY)  # which is position-independent anyway
    target_compile_options(${TARGET} PRIVATE -fPIE)
  endif()
  if(TYPE STREQUAL EXECUTABLE)
    target_link_options(${TARGET} PRIVATE -pie LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
  endif()
endfunction()
