# Copies the manual pages of FROM to TO as Debian wants them: compressed, and the same bytes from every build.
file(REMOVE_RECURSE ${TO})
file(GLOB PAGES ${FROM}/*)
file(COPY ${PAGES} DESTINATION ${TO})
file(GLOB PAGES ${TO}/*)
execute_process(COMMAND gzip -9n ${PAGES} RESULT_VARIABLE RESULT)
if(RESULT)
  message(FATAL_ERROR "gzip failed on the manual pages")
endif()
