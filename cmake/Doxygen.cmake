# `cmake --build --preset docs`: the API pages in build/release/api. Fails on a warning.
find_program(FERCLI_DOXYGEN doxygen)
if(FERCLI_DOXYGEN)
  configure_file(cmake/Doxyfile.in ${CMAKE_BINARY_DIR}/generated/Doxyfile @ONLY)
  add_custom_target(fercli_api COMMAND ${FERCLI_DOXYGEN} ${CMAKE_BINARY_DIR}/generated/Doxyfile
                    COMMENT "API pages: ${CMAKE_BINARY_DIR}/api/html/index.html" VERBATIM)
else()
  add_custom_target(fercli_api COMMAND ${CMAKE_COMMAND} -E echo "doxygen is not installed: apt-get install doxygen"
                    COMMAND ${CMAKE_COMMAND} -E false VERBATIM)
endif()
