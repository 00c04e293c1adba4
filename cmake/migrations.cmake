# Puts the texts of src/db/migrations/NNNN_name.sql into the program: migrations_text.cc, made again when one changes.
# Included by CMakeLists.txt it states the rule; run by that rule (cmake -P) it writes the file.
if(NOT CMAKE_SCRIPT_MODE_FILE)
  file(GLOB _migrations CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/db/migrations/*.sql)
  set(_migrations_text ${CMAKE_BINARY_DIR}/migrations_text.cc)
  add_custom_command(
    OUTPUT ${_migrations_text}
    COMMAND ${CMAKE_COMMAND} -DFROM=${CMAKE_SOURCE_DIR}/src/db/migrations -DTO=${_migrations_text}
            -P ${CMAKE_CURRENT_LIST_FILE}
    DEPENDS ${_migrations} ${CMAKE_CURRENT_LIST_FILE}
    COMMENT "migrations_text.cc" VERBATIM)
  target_sources(volary_db PRIVATE ${_migrations_text})
  return()
endif()

file(GLOB files ${FROM}/*.sql)
list(SORT files)
set(rows "")
set(expected 1)
foreach(file IN LISTS files)
  get_filename_component(stem ${file} NAME_WE)
  if(NOT stem MATCHES "^([0-9][0-9][0-9][0-9])_([a-z0-9_]+)$")
    message(FATAL_ERROR "${file}: expected a name like 0002_what_it_adds.sql")
  endif()
  set(name ${CMAKE_MATCH_2})
  string(REGEX REPLACE "^0+" "" number ${CMAKE_MATCH_1})
  if(NOT number EQUAL expected)
    message(FATAL_ERROR "${file}: expected number ${expected}: migrations are numbered without gaps")
  endif()
  math(EXPR expected "${expected} + 1")
  file(READ ${file} text)
  string(APPEND rows "    {${number}, \"${name}\", R\"sql(${text})sql\"},\n")
endforeach()
file(WRITE ${TO} "// Made by cmake/migrations.cmake from src/db/migrations.
#include \"db/migrations.h\"

namespace volary {

std::span<const Migration> known_migrations() {
  static constexpr Migration migrations[] = {
${rows}  };
  return migrations;
}

}  // namespace volary
")
