#!/usr/bin/env bats
# The installed package, and that images do not depend on where and how they are built.
load common

BUILD="${CELLA_BIN%/bin}"

setup() { cella_setup; }
teardown() { cella_teardown; }

# copy_source FOLDER: what is needed to configure the tree without its tests.
copy_source() {
    mkdir -p "$1"
    (cd "$CELLA_SOURCE" && cp -r CMakeLists.txt cmake include src tools enclaves examples bench man "$1")
}

# build_echo SOURCE BUILD TYPE: only the runtime and the image; the command that packs them is the built one.
build_echo() {
    cmake -S "$1" -B "$2" -G Ninja -DCMAKE_BUILD_TYPE="$3" -DCELLA_TESTS=OFF -DCELLA_COMMAND="$CELLA_BIN/cella" >log 2>&1 &&
        ninja -C "$2" echo-image >>log 2>&1 || {
        tail -n 40 log >&2
        return 1
    }
}

@test "two builds in two folders and of two build types give identical bytes" {
    copy_source "$PWD/one"
    copy_source "$PWD/another/and deeper"
    build_echo "$PWD/one" "$PWD/one/out" Release
    build_echo "$PWD/another/and deeper" "$PWD/elsewhere" Debug
    cmp one/out/examples/echo/echo.enclave elsewhere/examples/echo/echo.enclave
}

@test "an installation gives users cella_add_enclave, and the same image as the tree" {
    cmake --install "$BUILD" --prefix "$PWD/prefix" >/dev/null
    mkdir user
    cp "$CELLA_SOURCE"/examples/echo/{enclave.c,enclave.conf} user/
    printf '#include <cella/status.h>\n#include <stdio.h>\nint main(void) { puts(cella_status_name(CELLA_OK)); return 0; }\n' >user/program.c
    cat >user/CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.25)
project(user C)
find_package(Cella 0.1 REQUIRED)
cella_add_enclave(echo SOURCES enclave.c CONFIG enclave.conf)
add_executable(program program.c)
target_link_libraries(program PRIVATE cella::cella)
END
    cmake -S user -B user/out -G Ninja -DCMAKE_PREFIX_PATH="$PWD/prefix" >log 2>&1 || { cat log >&2; false; }
    run ninja -C user/out
    expect_ok
    # The linker has nothing to warn about.
    [[ $output != *"ld: "* ]]
    run user/out/program
    [ "$output" = OK ]
    cmp user/out/echo.enclave "$BUILD/examples/echo/echo.enclave"
    [ "$(prefix/bin/cella image show user/out/echo.enclave --json | grep -c '"name": "echo"')" = 1 ]
}

@test "pkg-config finds the installed library, wherever it was moved" {
    cmake --install "$BUILD" --prefix "$PWD/prefix" >/dev/null
    mv prefix moved
    printf '#include <cella/status.h>\nint main(void) { return cella_status_exit_code(CELLA_OK); }\n' >program.c
    export PKG_CONFIG_PATH="$PWD/moved/lib/pkgconfig"
    # shellcheck disable=SC2046
    cc program.c -o program $(pkg-config --cflags --libs cella)
    ./program
}

@test "cella_add_enclave says what it needs" {
    cmake --install "$BUILD" --prefix "$PWD/prefix" >/dev/null
    mkdir user
    printf 'cmake_minimum_required(VERSION 3.25)\nproject(user C)\nfind_package(Cella REQUIRED)\ncella_add_enclave(x SOURCES x.c)\n' >user/CMakeLists.txt
    run cmake -S user -B user/out -G Ninja -DCMAKE_PREFIX_PATH="$PWD/prefix"
    [ "$status" -ne 0 ]
    [[ $output == *"CONFIG enclave.conf"* ]]
}
