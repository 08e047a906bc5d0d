# How the source tree is compiled: warnings, one library per module, tests, fuzz targets.

# What everything of ours is compiled with. Images and the keeper use it as it is; the host side uses cella_flags, which
# may add sanitizers.
add_library(cella_plain_flags INTERFACE)
target_compile_features(cella_plain_flags INTERFACE c_std_11)
target_compile_definitions(cella_plain_flags INTERFACE _GNU_SOURCE)
target_compile_options(
  cella_plain_flags
  INTERFACE -Wall -Wextra -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
            -fno-strict-aliasing -fstack-protector-strong
            -ffile-prefix-map=${PROJECT_SOURCE_DIR}=. $<$<BOOL:${CELLA_WERROR}>:-Werror>)
target_include_directories(
  cella_plain_flags
  INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
            $<INSTALL_INTERFACE:include>)
add_library(cella_flags INTERFACE)
target_link_libraries(cella_flags INTERFACE cella_plain_flags)

# cella_module(NAME SOURCES … [ENCLAVE_SOURCES …] [LIBRARIES …])
# Makes the static library cella_NAME of all sources for the host side. ENCLAVE_SOURCES (a subset that knows no socket,
# file or clock) are also compiled into the runtime archive of images, with that archive's own flags.
function(cella_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;ENCLAVE_SOURCES;LIBRARIES")
  add_library(cella_${name} STATIC ${arg_SOURCES} ${arg_ENCLAVE_SOURCES})
  set_property(GLOBAL APPEND PROPERTY CELLA_HOST_MODULES ${name})
  set_target_properties(cella_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(cella_${name} PUBLIC cella_flags ${arg_LIBRARIES})
  list(TRANSFORM arg_ENCLAVE_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  set_property(GLOBAL APPEND PROPERTY CELLA_RUNTIME_SOURCES ${arg_ENCLAVE_SOURCES})
  list(TRANSFORM arg_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  set_property(GLOBAL PROPERTY CELLA_MODULE_SOURCES_${name} ${arg_SOURCES} ${arg_ENCLAVE_SOURCES})
endfunction()

# cella_test(NAME SOURCES … [LIBRARIES …]): a cmocka program under CTest, run in the source tree's tests/ folder.
function(cella_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES")
  # Without CELLA_TESTS the target exists, so that a folder may set its properties, but nothing builds or runs it.
  add_executable(test_${name} ${arg_SOURCES})
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(test_${name} PRIVATE CELLA_TEST_VECTORS="${PROJECT_SOURCE_DIR}/tests/vectors")
  target_link_libraries(test_${name} PRIVATE cella_flags ${arg_LIBRARIES} cella_test_support)
  if(NOT CELLA_TESTS)
    set_target_properties(test_${name} PROPERTIES EXCLUDE_FROM_ALL ON)
    return()
  endif()
  set(suite unit)
  if(CMAKE_CURRENT_SOURCE_DIR MATCHES "/tests/attack$")
    set(suite attack)
  endif()
  add_test(NAME ${suite}/${name} COMMAND test_${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/tests)
  set_tests_properties(${suite}/${name} PROPERTIES TIMEOUT 600)
  set_property(GLOBAL APPEND PROPERTY CELLA_HOST_TESTS test_${name})
endfunction()

# cella_fuzz(NAME SOURCES … [LIBRARIES …]): with CELLA_FUZZ a libFuzzer program fuzz_NAME; always a program that runs
# the checked-in corpus tests/fuzz/corpus/NAME (and every truncation of it) once under CTest.
function(cella_fuzz name)
  if(NOT CELLA_TESTS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES")
  if(CELLA_FUZZ)
    add_executable(fuzz_${name} ${arg_SOURCES})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(fuzz_${name} ${arg_SOURCES} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c)
    add_test(NAME fuzz/${name} COMMAND fuzz_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(fuzz/${name} PROPERTIES TIMEOUT 300)
    set_property(GLOBAL APPEND PROPERTY CELLA_HOST_TESTS fuzz_${name})
  endif()
  target_include_directories(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(fuzz_${name} PRIVATE cella_flags ${arg_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY CELLA_FUZZ_TARGETS ${name})
endfunction()
