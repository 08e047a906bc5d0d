# What `cmake --install` puts where: the command and the keeper, the public headers, one archive for host programs and
# one for images, and the files by which CMake and pkg-config find them.
if(CELLA_FUZZ OR CELLA_SANITIZE)
  # Nothing of such a build is for use.
  return()
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# All modules of the host side in one archive, so that users link one thing.
get_property(modules GLOBAL PROPERTY CELLA_HOST_MODULES)
list(TRANSFORM modules REPLACE "(.+)" "$<TARGET_OBJECTS:cella_\\1>" OUTPUT_VARIABLE objects)
add_library(cella_all STATIC ${objects})
set_target_properties(cella_all PROPERTIES OUTPUT_NAME cella LINKER_LANGUAGE C)
set_target_properties(cella_enclave PROPERTIES OUTPUT_NAME cella-enclave)

install(TARGETS cella RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS cella-keeper RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/cella)
install(TARGETS cella_all cella_enclave ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/cella DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Cella)
configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/CellaConfig.cmake.in ${CMAKE_BINARY_DIR}/package/CellaConfig.cmake
  INSTALL_DESTINATION ${package_folder}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/CellaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
# Relative, so that an installation can be moved and staged.
file(RELATIVE_PATH CELLA_PC_TO_PREFIX /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
configure_file(${CMAKE_CURRENT_LIST_DIR}/cella.pc.in ${CMAKE_BINARY_DIR}/package/cella.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/package/CellaConfig.cmake ${CMAKE_BINARY_DIR}/package/CellaConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/CellaEnclave.cmake
              ${CMAKE_CURRENT_LIST_DIR}/INSECURE-development-signing-key.pem DESTINATION ${package_folder})
install(FILES ${CMAKE_BINARY_DIR}/package/cella.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
