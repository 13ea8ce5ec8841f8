# SPDX-License-Identifier: BSD-2-Clause
# PALIGEMMA_SANITIZE, over everything that is built here. The first finding ends the program, so that tests see it.
if(PALIGEMMA_SANITIZE)
    add_compile_options(-fsanitize=${PALIGEMMA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
    add_link_options(-fsanitize=${PALIGEMMA_SANITIZE})
endif()
if(PALIGEMMA_BUILD_FUZZERS)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "PALIGEMMA_BUILD_FUZZERS needs clang, whose libFuzzer drives the targets")
    endif()
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
