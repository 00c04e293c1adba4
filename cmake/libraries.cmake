# The libraries of docs/decisions/0002-libraries.md, all Debian 12 packages.
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
# These two are not linked: net/curl_library.h and remote/crypto_library.h load them when they are needed.
find_package(OpenSSL 3.0 REQUIRED)
add_library(crypto_headers INTERFACE)
target_include_directories(crypto_headers SYSTEM INTERFACE ${OPENSSL_INCLUDE_DIR})
find_package(CURL 7.88 REQUIRED)
add_library(curl_headers INTERFACE)
target_include_directories(curl_headers SYSTEM INTERFACE ${CURL_INCLUDE_DIRS})
find_package(SQLite3 3.40 REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(yaml-cpp 0.7 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
if(VOLARY_TESTS)
  find_package(GTest REQUIRED)
  find_package(rapidcheck REQUIRED)
endif()

# BLAKE3's official C sources come with Debian's librust-blake3-dev; there is no libblake3-dev in Debian 12.
# They are compiled here and not linked shared, because core/segmented_hash.cc calls one internal symbol.
file(GLOB _blake3_dirs LIST_DIRECTORIES true "/usr/share/cargo/registry/blake3-*/c")
find_path(BLAKE3_C_DIR NAMES blake3.h PATHS ${_blake3_dirs} NO_DEFAULT_PATH REQUIRED)
add_library(blake3 STATIC ${BLAKE3_C_DIR}/blake3.c ${BLAKE3_C_DIR}/blake3_dispatch.c ${BLAKE3_C_DIR}/blake3_portable.c)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_sources(blake3 PRIVATE
    ${BLAKE3_C_DIR}/blake3_sse2_x86-64_unix.S ${BLAKE3_C_DIR}/blake3_sse41_x86-64_unix.S
    ${BLAKE3_C_DIR}/blake3_avx2_x86-64_unix.S ${BLAKE3_C_DIR}/blake3_avx512_x86-64_unix.S)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  target_sources(blake3 PRIVATE ${BLAKE3_C_DIR}/blake3_neon.c)
endif()
target_include_directories(blake3 SYSTEM PUBLIC ${BLAKE3_C_DIR})
target_compile_options(blake3 PRIVATE -w -O3)
