# Writes a C++ file that holds the files of the web page: PAGE_DIR -> OUTPUT, the interface of src/serve/page_files.hpp.
set(TYPE_html "text/html; charset=utf-8")
set(TYPE_css "text/css; charset=utf-8")
set(TYPE_js "text/javascript; charset=utf-8")
set(TYPE_json "application/json")
file(GLOB FILES ${PAGE_DIR}/*)
set(DATA "")
set(TABLE "")
set(NUMBER 0)
foreach(FILE ${FILES})
  get_filename_component(NAME ${FILE} NAME)
  string(REGEX REPLACE ".*\\." "" EXTENSION ${NAME})
  file(READ ${FILE} BYTES HEX)
  string(LENGTH "${BYTES}" SIZE)
  math(EXPR SIZE "${SIZE} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," BYTES "${BYTES}")
  string(APPEND DATA "const unsigned char file${NUMBER}[] = {${BYTES}};\n")
  string(APPEND TABLE "    {\"${NAME}\", \"${TYPE_${EXTENSION}}\", file${NUMBER}, ${SIZE}},\n")
  math(EXPR NUMBER "${NUMBER} + 1")
endforeach()
file(WRITE ${OUTPUT} "#include \"serve/page_files.hpp\"

namespace fercli {

namespace {

${DATA}
const PageFile files[] = {
${TABLE}};

}  // namespace

const PageFile* find_page_file(const std::string& name) {
  for (const auto& file : files) {
    if (name == file.name) return &file;
  }
  return nullptr;
}

}  // namespace fercli
")
