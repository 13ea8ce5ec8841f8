# SPDX-License-Identifier: BSD-2-Clause
# `cpack -G DEB` in the build folder: three Debian packages, one for each component of the installation. The build must be
# configured for them (prefix /usr, no RPATH): cmake/build-packages.sh does that, and docs/packaging.md tells more.
set(CPACK_PACKAGE_VENDOR "The libpaligemma authors")
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # the first line of each package's description is its summary
set(CPACK_PACKAGING_INSTALL_PREFIX "/usr")
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime development command)
set(CPACK_PRE_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/cmake/debian/complete.cmake")
set(CPACK_POST_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/cmake/debian/use_trigger.cmake")
set(CPACK_PALIGEMMA_SOURCE "${PROJECT_SOURCE_DIR}") # for these two
set(CPACK_PALIGEMMA_STRIP "${CMAKE_STRIP}")
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(PALIGEMMA_PACKAGE_MAINTAINER "libpaligemma authors <libpaligemma@example.invalid>"
    CACHE STRING "Who answers for the Debian packages: NAME <ADDRESS>")
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${PALIGEMMA_PACKAGE_MAINTAINER}")
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)

set(paligemma_what "PaliGemma and PaliGemma 2 are models that look at pictures and answer prompts:
captions, questions, text in pictures, boxes and masks of objects. This library
runs Hugging Face's checkpoints as they are, on the CPU, and computes what
Transformers computes.")

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME "libpaligemma${PALIGEMMA_SOVERSION}")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "vision-language models on CPUs - shared library
${paligemma_what}")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA "${PROJECT_SOURCE_DIR}/cmake/debian/triggers")
# Programs that use it need this version or a later one.
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libpaligemma-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "libpaligemma${PALIGEMMA_SOVERSION} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}), libc6-dev")
if(NOT BUILD_SHARED_LIBS)
    set(CPACK_COMPONENTS_ALL development command) # there is no library at run time
    set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
        "libc6-dev, libpng-dev, libjpeg-dev, libjson-c-dev, libdnnl-dev, libgomp1")
endif()
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "vision-language models on CPUs - headers
${paligemma_what}

This package has what is needed to build programs with it: headers, the link to
the library, and what pkg-config and CMake find it by.")

set(CPACK_DEBIAN_COMMAND_PACKAGE_NAME paligemma)
set(CPACK_DEBIAN_COMMAND_PACKAGE_SECTION graphics)
set(CPACK_DEBIAN_COMMAND_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_COMMAND_DESCRIPTION "vision-language models on CPUs - command
${paligemma_what}

This package has the command paligemma, which answers prompts, looks into
checkpoints and writes them anew, with its manual page and completions for
bash, zsh and fish.")

# The command's library is not a package of this system yet while dpkg-shlibdeps looks for it.
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
if(BUILD_SHARED_LIBS)
    set(CPACK_DEBIAN_COMMAND_PACKAGE_DEPENDS
        "libpaligemma${PALIGEMMA_SOVERSION} (>= ${PROJECT_VERSION})")
    set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${PROJECT_BINARY_DIR}/lib")
endif()
include(CPack)
