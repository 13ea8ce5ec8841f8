# SPDX-License-Identifier: BSD-2-Clause
# oneDNN: DNNL::dnnl, DNNL_VERSION. The header and the library are looked for directly; only where they are not found
# is oneDNN's own package asked (dnnl_DIR), because Debian's insists on an OpenCL that we neither use nor link.
find_path(DNNL_INCLUDE_DIR dnnl.h)
find_library(DNNL_LIBRARY dnnl)
mark_as_advanced(DNNL_INCLUDE_DIR DNNL_LIBRARY)

foreach(dnnl_header dnnl_version.h oneapi/dnnl/dnnl_version.h)
    if(NOT DNNL_VERSION AND DNNL_INCLUDE_DIR AND EXISTS "${DNNL_INCLUDE_DIR}/${dnnl_header}")
        file(STRINGS "${DNNL_INCLUDE_DIR}/${dnnl_header}" dnnl_lines REGEX "#define DNNL_VERSION_(MAJOR|MINOR|PATCH)")
        string(REGEX MATCHALL "[0-9]+" dnnl_numbers "${dnnl_lines}")
        string(REPLACE ";" "." DNNL_VERSION "${dnnl_numbers}")
    endif()
endforeach()

if(NOT (DNNL_INCLUDE_DIR AND DNNL_LIBRARY) AND NOT TARGET DNNL::dnnl)
    find_package(dnnl CONFIG QUIET)
    if(dnnl_FOUND)
        set(DNNL_VERSION "${dnnl_VERSION}")
        set(DNNL_LIBRARY DNNL::dnnl)
    endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(DNNL REQUIRED_VARS DNNL_LIBRARY VERSION_VAR DNNL_VERSION)

if(DNNL_FOUND AND NOT TARGET DNNL::dnnl)
    add_library(DNNL::dnnl UNKNOWN IMPORTED)
    set_target_properties(DNNL::dnnl PROPERTIES
        IMPORTED_LOCATION "${DNNL_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${DNNL_INCLUDE_DIR}")
    if(DNNL_LIBRARY MATCHES "\\.a$")
        set_target_properties(DNNL::dnnl PROPERTIES INTERFACE_LINK_LIBRARIES "stdc++;m;${CMAKE_DL_LIBS}")
    endif()
endif()
