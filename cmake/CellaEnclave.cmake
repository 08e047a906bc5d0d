# How an enclave's program becomes a signed image. The only place that knows how images are compiled and linked; it
# serves this tree and, installed, everyone else's.
#
# cella_add_enclave(NAME SOURCES … CONFIG enclave.conf [KEY key.pem] [LIBRARIES …])
#   NAME            the program, a CMake target: target_include_directories() and the like work on it
#   NAME-image      the target that makes NAME.enclave in the build folder; part of `all`
#   SOURCES         the program; its main() calls cella_enclave_run()
#   CONFIG          the settings, see docs/enclave-conf.md
#   KEY             RSA-3072 private key with exponent 3 (cella key new). Without it the image is signed with the
#                   INSECURE development key that everyone has: never ship such an image.
#   LIBRARIES       static libraries compiled with -fPIE or -fPIC
# The path of the image is the target property CELLA_IMAGE of NAME. NAME.elf beside it has the debug information.
#
# The same sources, compiler and static libraries give the same bytes, from whatever folder and with whatever build
# type. In fuzzing builds there are no images and the function does nothing.

set(CELLA_COMMAND
    ""
    CACHE FILEPATH "The cella command that makes images; empty: the one that belongs to this")

set(CELLA_DEVELOPMENT_KEY
    ${CMAKE_CURRENT_LIST_DIR}/INSECURE-development-signing-key.pem
    CACHE INTERNAL "Signs images for which no key is named")

# An installation's CellaConfig.cmake sets it before.
if(NOT CELLA_INCLUDE_DIR)
  set(CELLA_INCLUDE_DIR
      ${CMAKE_CURRENT_LIST_DIR}/../include
      CACHE INTERNAL "Public headers")
endif()

# libc's dynamic loading and host names, for which static programs need files of the host; the runtime has versions that
# fail.
set(CELLA_ABSENT_FUNCTIONS
    dlopen dlsym dlclose dlerror dladdr getaddrinfo freeaddrinfo gai_strerror getnameinfo gethostbyname
    CACHE INTERNAL "Functions of libc that images do not have")

find_library(CELLA_STATIC_CRYPTO NAMES libcrypto.a HINTS ${OPENSSL_ROOT_DIR} DOC "Static libcrypto of images")

# Flags of programs in images. They come after CMAKE_C_FLAGS and undo what must not reach an image.
function(cella_enclave_compile_options target)
  target_compile_options(
    ${target}
    PRIVATE -fPIE -O2 -g -UNDEBUG -fno-sanitize=all -fstack-protector-strong -fno-strict-aliasing
            -ffile-prefix-map=${CMAKE_BINARY_DIR}=build -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
endfunction()

function(cella_enclave_link_options target)
  list(TRANSFORM CELLA_ABSENT_FUNCTIONS PREPEND "LINKER:--wrap=" OUTPUT_VARIABLE wraps)
  # No relro: it would ask the kernel to change permissions at start, and the permissions of an image's pages are
  # measured and final. No build id: it would depend on debug information.
  target_link_options(
    ${target}
    PRIVATE
    -static-pie
    -fno-sanitize=all
    LINKER:-e,cella_entry
    LINKER:-u,cella_entry
    LINKER:-z,separate-code
    LINKER:-z,max-page-size=4096
    LINKER:-z,noexecstack
    LINKER:-z,norelro
    LINKER:-z,now
    LINKER:-z,text
    LINKER:--build-id=none
    LINKER:--gc-sections
    ${wraps})
endfunction()

function(cella_add_enclave name)
  if(CELLA_FUZZ)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "CONFIG;KEY" "SOURCES;LIBRARIES")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES OR NOT arg_CONFIG)
    message(FATAL_ERROR "cella_add_enclave(NAME SOURCES … CONFIG enclave.conf [KEY key.pem] [LIBRARIES …])")
  endif()
  if(NOT CELLA_STATIC_CRYPTO)
    message(FATAL_ERROR "Images need the static libcrypto.a (package libssl-dev)")
  endif()
  if(NOT arg_KEY)
    set(arg_KEY ${CELLA_DEVELOPMENT_KEY})
  endif()
  cmake_path(ABSOLUTE_PATH arg_CONFIG)
  cmake_path(ABSOLUTE_PATH arg_KEY)

  # Inside this tree these are targets; an installation imports them.
  set(runtime cella::enclave)
  set(command $<TARGET_FILE:cella::command>)
  if(TARGET cella_enclave)
    set(runtime cella_enclave)
    set(command $<TARGET_FILE:cella>)
  endif()
  if(CELLA_COMMAND)
    set(command ${CELLA_COMMAND})
  endif()

  add_executable(${name} ${arg_SOURCES})
  cella_enclave_compile_options(${name})
  cella_enclave_link_options(${name})
  target_include_directories(${name} PRIVATE ${CELLA_INCLUDE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} "$<LINK_GROUP:RESCAN,${runtime},${CELLA_STATIC_CRYPTO}>" m)
  set(image ${CMAKE_CURRENT_BINARY_DIR}/${name}.enclave)
  set_target_properties(
    ${name}
    PROPERTIES SUFFIX .elf
               RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
               POSITION_INDEPENDENT_CODE OFF # -fPIE is above; CMake's own would add -fPIC for some types
               INTERPROCEDURAL_OPTIMIZATION OFF
               CELLA_IMAGE ${image})

  add_custom_command(
    OUTPUT ${image}
    COMMAND ${command} image build $<TARGET_FILE:${name}> --config ${arg_CONFIG} --out ${image}.unsigned
    COMMAND ${command} image sign ${image}.unsigned --key ${arg_KEY} --out ${image}
    COMMAND ${CMAKE_COMMAND} -E rm ${image}.unsigned
    DEPENDS ${name} ${arg_CONFIG} ${arg_KEY} ${command}
    COMMENT "Making the image ${name}.enclave"
    VERBATIM)
  add_custom_target(${name}-image ALL DEPENDS ${image})
endfunction()
