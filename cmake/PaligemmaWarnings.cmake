# SPDX-License-Identifier: BSD-2-Clause
# The warnings of every C file of ours, as an INTERFACE target that is linked privately.
add_library(paligemma_warnings INTERFACE)
target_compile_options(paligemma_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
    -Wwrite-strings -Wvla)
if(PALIGEMMA_WERROR)
    target_compile_options(paligemma_warnings INTERFACE -Werror)
endif()
