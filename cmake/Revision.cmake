# Writes the revision header, and touches it only when its text changes.
execute_process(COMMAND git -C ${SOURCE_DIR} rev-parse --short=12 HEAD OUTPUT_VARIABLE REVISION
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
execute_process(COMMAND git -C ${SOURCE_DIR} status --porcelain --untracked-files=no OUTPUT_VARIABLE CHANGES ERROR_QUIET)
execute_process(COMMAND git -C ${SOURCE_DIR} log -1 --format=%cs OUTPUT_VARIABLE REVISION_DATE
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT REVISION)
  set(REVISION "unknown")
elseif(CHANGES)
  set(REVISION "${REVISION}+changes")
endif()
if(FIND_SOURCES)
  set(FOUND_SOURCES ${SOURCE_DIR})
endif()
set(TEXT "#define FERCLI_VERSION \"${VERSION}\"\n#define FERCLI_REVISION \"${REVISION}\"\n")
string(APPEND TEXT "#define FERCLI_REVISION_DATE \"${REVISION_DATE}\"\n")
string(APPEND TEXT "#define FERCLI_SOURCE_DIR \"${FOUND_SOURCES}\"\n#define FERCLI_BUILD_TYPE \"${BUILD_TYPE}\"\n")
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "${TEXT}" @ONLY)
