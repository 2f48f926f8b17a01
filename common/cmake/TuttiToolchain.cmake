# Compiler, warnings, sanitizers, packages, and the helpers every room uses:
#   tutti_library(NAME SOURCES ... DEPS ...)   one room
#   tutti_executable(NAME SOURCES ... DEPS ...)
#   tutti_test(NAME SOURCES ... DEPS ... [GRPC] [TIMEOUT seconds] [LABELS ...])   one CTest test per binary
#   tutti_not_under_asan(TARGET...)   left out of the AddressSanitizer build

find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(absl REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(RocksDB CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(GTest REQUIRED)

# Linked into the servers: records and messages are many small allocations on several threads. Sanitizers bring their own.
find_library(JEMALLOC_LIBRARY jemalloc)
if(TUTTI_ASAN OR TUTTI_TSAN OR NOT JEMALLOC_LIBRARY)
  set(TUTTI_ALLOCATOR)
else()
  set(TUTTI_ALLOCATOR ${JEMALLOC_LIBRARY})
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # The sloppiness is what ccache needs to look through GCC's precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
endif()

if(TUTTI_ASAN)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
  # Of what includes gRPC's headers: they keep a status code from the wire in its enum, whatever the number is.
  set(TUTTI_GRPC_OPTIONS -fno-sanitize=enum)
endif()
if(TUTTI_FUZZ)
  add_compile_options(-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize=vptr,function
                      -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
endif()
if(TUTTI_TSAN)
  # Protobuf's headers give maps another layout when they see this macro; the distribution's library was built without it.
  add_compile_options(-fsanitize=thread -U__SANITIZE_THREAD__ -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
endif()

set(TUTTI_WARNINGS -Wall -Wextra -Werror -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # "precise" is what is left when two names of one mutex cannot be told to be the same.
  list(APPEND TUTTI_WARNINGS -Wthread-safety -Wno-error=thread-safety-precise)
elseif(TUTTI_ASAN OR TUTTI_TSAN)
  # GCC reports false positives of these inside the standard library once sanitizers change the inlining.
  list(APPEND TUTTI_WARNINGS -Wno-error=maybe-uninitialized -Wno-error=tsan)
endif()

# Headers cost more than what stands below them: two seconds of Protobuf's and Abseil's in every file, more with gRPC's. So
# all targets share one of two precompiled headers.
file(WRITE ${CMAKE_BINARY_DIR}/pch.cc.in "// Exists so that the precompiled header has a target to live in.\n")
configure_file(${CMAKE_BINARY_DIR}/pch.cc.in ${CMAKE_BINARY_DIR}/pch.cc COPYONLY)
set(TUTTI_PCH_HEADERS <functional> <map> <memory> <string> <vector>
  <absl/status/statusor.h> <absl/strings/str_cat.h> <google/protobuf/message.h> <google/protobuf/struct.pb.h>)

# Some packages ask for it; a precompiled header fits only what is compiled in the same way.
add_compile_options(-pthread)

function(tutti_precompiled name)
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/pch.cc)
  target_compile_options(${name} PRIVATE -fpch-preprocess)
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf absl::statusor absl::strings)
  target_precompile_headers(${name} PRIVATE ${TUTTI_PCH_HEADERS} ${ARGN})
endfunction()

tutti_precompiled(tutti_pch)
tutti_precompiled(tutti_grpc_pch <thread> <grpcpp/grpcpp.h> <grpcpp/generic/generic_stub.h>)
target_link_libraries(tutti_grpc_pch PUBLIC gRPC::grpc++)
target_compile_options(tutti_grpc_pch PRIVATE ${TUTTI_GRPC_OPTIONS})

function(tutti_configure target)
  cmake_parse_arguments(ARG "GRPC" "" "DEPS" ${ARGN})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} PUBLIC ${ARG_DEPS})
  target_compile_options(${target} PRIVATE ${TUTTI_WARNINGS} -fpch-preprocess -Winvalid-pch)
  if(ARG_GRPC)
    target_link_libraries(${target} PUBLIC gRPC::grpc++ protobuf::libprotobuf)
    target_compile_options(${target} PRIVATE ${TUTTI_GRPC_OPTIONS})
    target_precompile_headers(${target} REUSE_FROM tutti_grpc_pch)
  else()
    target_precompile_headers(${target} REUSE_FROM tutti_pch)
  endif()
endfunction()

# GRPC as a flag gives the target gRPC and the shared precompiled header.
function(tutti_library name)
  cmake_parse_arguments(ARG "GRPC" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  if(ARG_GRPC)
    tutti_configure(${name} GRPC DEPS ${ARG_DEPS})
  else()
    tutti_configure(${name} DEPS ${ARG_DEPS})
  endif()
endfunction()

function(tutti_executable name)
  cmake_parse_arguments(ARG "GRPC" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  if(ARG_GRPC)
    tutti_configure(${name} GRPC DEPS ${ARG_DEPS})
  else()
    tutti_configure(${name} DEPS ${ARG_DEPS})
  endif()
endfunction()

# For what only runs that AddressSanitizer leaves out would need: it is not built for that.
function(tutti_not_under_asan)
  if(TUTTI_ASAN)
    set_target_properties(${ARGN} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endfunction()

# What runs under ThreadSanitizer, by the label `tsan`: everything with threads of its own and nothing of gRPC, which is not
# built for it.
add_custom_target(tsan_tests)

# Runs in the source folder of its room, so test data is found by a relative path.
function(tutti_test name)
  cmake_parse_arguments(ARG "GRPC" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  set(deps ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  if(ARG_GRPC)
    tutti_configure(${name} GRPC DEPS ${deps})
  else()
    tutti_configure(${name} DEPS ${deps})
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
  if("tsan" IN_LIST ARG_LABELS)
    add_dependencies(tsan_tests ${name})
  endif()
endfunction()
