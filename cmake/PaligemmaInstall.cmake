# SPDX-License-Identifier: BSD-2-Clause
# What `cmake --install` brings besides the command: headers, library, paligemma.pc, the CMake package.
include(CMakePackageConfigHelpers)

set(paligemma_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/paligemma")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/paligemma" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.h")
install(TARGETS paligemma EXPORT paligemma-targets
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT paligemma-targets NAMESPACE paligemma:: DESTINATION "${paligemma_package_dir}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/paligemmaConfig.cmake.in"
    "${PROJECT_BINARY_DIR}/paligemmaConfig.cmake" INSTALL_DESTINATION "${paligemma_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/paligemmaConfigVersion.cmake" COMPATIBILITY SameMajorVersion)
install(FILES
    "${PROJECT_BINARY_DIR}/paligemmaConfig.cmake"
    "${PROJECT_BINARY_DIR}/paligemmaConfigVersion.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/FindDNNL.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/FindJsonC.cmake"
    DESTINATION "${paligemma_package_dir}")

# paligemma.pc finds its prefix from where it lies, so that an installed tree can be moved.
string(REGEX REPLACE "[^/]+" ".." paligemma_pc_to_prefix "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
set(paligemma_pc_cflags "")
set(paligemma_pc_libs_private "-ldnnl -lm ${OpenMP_C_FLAGS}")
if(NOT BUILD_SHARED_LIBS)
    set(paligemma_pc_cflags "-DPALIGEMMA_STATIC")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/paligemma.pc.in" "${PROJECT_BINARY_DIR}/paligemma.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/paligemma.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
