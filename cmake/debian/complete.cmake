# SPDX-License-Identifier: BSD-2-Clause
# CPack runs this when the components' files lie in folders of their own: what Debian wants in a package besides,
# licence and changelog, and the places where Debian looks for some files.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
    return()
endif()
file(GLOB changelog "${CPACK_PALIGEMMA_SOURCE}/cmake/debian/changelog")

foreach(component IN LISTS CPACK_COMPONENTS_ALL)
    string(TOUPPER "${component}" name)
    set(package "${CPACK_DEBIAN_${name}_PACKAGE_NAME}")
    set(usr "${CPACK_TEMPORARY_DIRECTORY}/${component}/usr")
    if(NOT IS_DIRECTORY "${usr}")
        message(FATAL_ERROR "${usr} is not there: does the component ${component} install nothing?")
    endif()
    set(documents "${usr}/share/doc/${package}")
    file(MAKE_DIRECTORY "${documents}")
    configure_file("${CPACK_PALIGEMMA_SOURCE}/cmake/debian/copyright" "${documents}/copyright" COPYONLY)
    configure_file("${changelog}" "${documents}/changelog.Debian" COPYONLY)
    execute_process(COMMAND gzip -9n "${documents}/changelog.Debian" COMMAND_ERROR_IS_FATAL ANY)

    file(GLOB_RECURSE binaries "${usr}/bin/*" "${usr}/lib/*.so.*")
    foreach(binary IN LISTS binaries)
        if(CPACK_PALIGEMMA_STRIP AND NOT IS_SYMLINK "${binary}") # the symbols have gone already, these have not
            execute_process(COMMAND "${CPACK_PALIGEMMA_STRIP}" --remove-section=.comment --remove-section=.note "${binary}"
                COMMAND_ERROR_IS_FATAL ANY)
        endif()
    endforeach()

    file(GLOB pages "${usr}/share/man/man*/*.[1-9]")
    foreach(page IN LISTS pages)
        execute_process(COMMAND gzip -9n "${page}" COMMAND_ERROR_IS_FATAL ANY)
    endforeach()
    if(EXISTS "${usr}/share/zsh/site-functions") # which on Debian is the administrator's
        file(RENAME "${usr}/share/zsh/site-functions" "${usr}/share/zsh/vendor-completions")
    endif()
    file(GLOB_RECURSE made LIST_DIRECTORIES true "${usr}/*")
    foreach(path IN LISTS made)
        if(IS_DIRECTORY "${path}" AND NOT IS_SYMLINK "${path}")
            file(CHMOD "${path}" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
                WORLD_READ WORLD_EXECUTE)
        endif()
    endforeach()
endforeach()
