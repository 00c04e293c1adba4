# volary_folder(NAME USES folders… LIBS libraries…)
#   src/NAME/*.cc becomes the library volary_NAME, src/NAME/*_test.cc the test program NAME_test.
#   USES is the whole list of folders that NAME may include from; it is not transitive for includes, only for linking.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # With precompiled headers ccache needs to be told that it may look at what they hold instead of when they were made.
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE_PROGRAM})
endif()

add_library(volary_flags INTERFACE)
target_include_directories(volary_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(volary_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion)
# Boost's deprecated use of std::result_of and friends is not ours to fix.
target_compile_definitions(volary_flags INTERFACE BOOST_ASIO_NO_DEPRECATED)
if(VOLARY_FAULTS)
  target_compile_definitions(volary_flags INTERFACE VOLARY_FAULTS=1)
endif()
target_link_libraries(volary_flags INTERFACE Threads::Threads)
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU" OR CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 12.1)
  target_link_options(volary_flags INTERFACE -fuse-ld=mold)
endif()

if(VOLARY_TESTS)
  enable_testing()
  include(GoogleTest)
endif()

# Headers of others that nearly every source includes, compiled once: halves a clean build. None of ours is in it, and the
# preset gcc builds without it, so no source can come to rely on it.
if(VOLARY_PRECOMPILED)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_options(volary_flags INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
  file(WRITE ${CMAKE_BINARY_DIR}/empty.cc "")
  add_library(volary_headers OBJECT ${CMAKE_BINARY_DIR}/empty.cc)
  target_link_libraries(volary_headers PRIVATE volary_flags fmt::fmt Boost::json)
  target_precompile_headers(volary_headers PRIVATE
    <algorithm> <atomic> <chrono> <condition_variable> <filesystem> <functional> <map> <memory> <mutex> <optional> <set>
    <span> <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector>
    <boost/describe.hpp> <boost/json/value.hpp> <boost/mp11/algorithm.hpp> <fmt/core.h>)
  if(VOLARY_TESTS)
    add_library(volary_test_headers OBJECT ${CMAKE_BINARY_DIR}/empty.cc)
    target_link_libraries(volary_test_headers PRIVATE volary_flags fmt::fmt Boost::json GTest::gtest GTest::gmock
      rapidcheck rapidcheck_gtest)
    target_precompile_headers(volary_test_headers PRIVATE
      <algorithm> <chrono> <filesystem> <functional> <map> <memory> <optional> <string> <thread> <vector>
      <boost/describe.hpp> <boost/json/value.hpp> <boost/mp11/algorithm.hpp> <fmt/core.h>
      <gmock/gmock.h> <gtest/gtest.h> <rapidcheck/gtest.h>)
  endif()
endif()
function(volary_precompiled target from)
  if(VOLARY_PRECOMPILED)
    target_precompile_headers(${target} REUSE_FROM ${from})
  endif()
endfunction()

function(volary_folder name)
  cmake_parse_arguments(FOLDER "" "" "USES;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(TRANSFORM FOLDER_USES PREPEND volary_)
  if(sources)
    add_library(volary_${name} STATIC ${sources})
    target_link_libraries(volary_${name} PUBLIC volary_flags ${FOLDER_USES} ${FOLDER_LIBS})
    volary_precompiled(volary_${name} volary_headers)
  else()
    add_library(volary_${name} INTERFACE)
    target_link_libraries(volary_${name} INTERFACE volary_flags ${FOLDER_USES} ${FOLDER_LIBS})
  endif()
  if(VOLARY_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE volary_${name} GTest::gtest_main GTest::gmock rapidcheck rapidcheck_gtest)
    target_compile_definitions(${name}_test PRIVATE VOLARY_TEST_DATA="${CMAKE_SOURCE_DIR}/test/data")
    volary_precompiled(${name}_test volary_test_headers)
    gtest_discover_tests(${name}_test DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300)
  endif()
  set_property(GLOBAL APPEND PROPERTY VOLARY_FOLDERS volary_${name})
endfunction()

# volary_program(NAME source): the one program, which may use every folder.
function(volary_program name source)
  if(NOT EXISTS ${CMAKE_SOURCE_DIR}/${source})
    return()
  endif()
  get_property(folders GLOBAL PROPERTY VOLARY_FOLDERS)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE ${folders})
  target_compile_definitions(${name} PRIVATE VOLARY_VERSION="${PROJECT_VERSION}")
endfunction()
