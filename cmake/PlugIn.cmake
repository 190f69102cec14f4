# fercli_add_plugin(NAME SOURCE…) makes NAME.so for `fercli --plugin NAME.so`. Its sources register what they bring, as
# those of the program do, and find the rest of fercli in the program that loads it.
function(fercli_add_plugin NAME)
  add_library(${NAME} MODULE ${ARGN} ${FERCLI_PLUG_IN_MARK})
  target_link_libraries(${NAME} PRIVATE fercli::headers)
  target_link_options(${NAME} PRIVATE LINKER:--as-needed)
  set_target_properties(${NAME} PROPERTIES PREFIX "" CXX_EXTENSIONS OFF)
endfunction()
