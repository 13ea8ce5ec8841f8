# SPDX-License-Identifier: BSD-2-Clause
# json-c: JsonC::JsonC, for #include <json-c/json.h>. pkg-config, where there is one, says where to look.
find_package(PkgConfig QUIET)
if(PKG_CONFIG_FOUND)
    pkg_check_modules(PC_JSONC QUIET json-c)
endif()
find_path(JsonC_INCLUDE_DIR json-c/json.h HINTS ${PC_JSONC_INCLUDEDIR} ${PC_JSONC_INCLUDE_DIRS})
find_library(JsonC_LIBRARY json-c HINTS ${PC_JSONC_LIBDIR} ${PC_JSONC_LIBRARY_DIRS})
mark_as_advanced(JsonC_INCLUDE_DIR JsonC_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(JsonC REQUIRED_VARS JsonC_LIBRARY JsonC_INCLUDE_DIR VERSION_VAR PC_JSONC_VERSION)

if(JsonC_FOUND AND NOT TARGET JsonC::JsonC)
    add_library(JsonC::JsonC UNKNOWN IMPORTED)
    set_target_properties(JsonC::JsonC PROPERTIES
        IMPORTED_LOCATION "${JsonC_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${JsonC_INCLUDE_DIR}")
endif()
