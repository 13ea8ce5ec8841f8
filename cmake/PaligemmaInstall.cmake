# SPDX-License-Identifier: BSD-2-Clause
# What `cmake --install` brings besides the command: headers, library, paligemma.pc, the CMake package. In components,
# for packages: `runtime` is what a program needs to run, `development` what it needs to be built, `command` the command.
include(CMakePackageConfigHelpers)

set(paligemma_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/paligemma")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/paligemma" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    COMPONENT development FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(TARGETS paligemma EXPORT paligemma-targets
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime NAMELINK_COMPONENT development
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development
    INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT paligemma-targets NAMESPACE paligemma:: DESTINATION "${paligemma_package_dir}" COMPONENT development)

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/paligemmaConfig.cmake.in"
    "${PROJECT_BINARY_DIR}/paligemmaConfig.cmake" INSTALL_DESTINATION "${paligemma_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/paligemmaConfigVersion.cmake" COMPATIBILITY SameMajorVersion)
install(FILES
    "${PROJECT_BINARY_DIR}/paligemmaConfig.cmake"
    "${PROJECT_BINARY_DIR}/paligemmaConfigVersion.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/FindDNNL.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/FindJsonC.cmake"
    DESTINATION "${paligemma_package_dir}" COMPONENT development)

# paligemma.pc finds its prefix from where it lies, so that an installed tree can be moved.
string(REGEX REPLACE "[^/]+" ".." paligemma_pc_to_prefix "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
# A shared library brings what it needs itself; whoever links the static one must name it all (pkg-config --static).
set(paligemma_pc_cflags "")
set(paligemma_pc_private "")
if(NOT BUILD_SHARED_LIBS)
    set(paligemma_pc_cflags " -DPALIGEMMA_STATIC")
    set(paligemma_pc_private
        "Requires.private: libpng, libjpeg, json-c\nLibs.private: -ldnnl -lm ${OpenMP_C_FLAGS}\n")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/paligemma.pc.in" "${PROJECT_BINARY_DIR}/paligemma.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/paligemma.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
    COMPONENT development)
