# How manual pages are installed: compressed, if there is gzip, and found by every name that stands in them.
find_program(LEAT_GZIP gzip)

# leat_install_manual(COMPONENT)
#
# Installs the pages of the folder man/. Under its NAME a page lists what it explains, one `.Nm` a line; for each that is not the
# page's own there is a link. All is made when CMake runs, below man/ in the build folder, where `man` can look too.
function(leat_install_manual component)
        set(made ${CMAKE_CURRENT_BINARY_DIR}/man)
        file(REMOVE_RECURSE ${made})
        file(GLOB pages CONFIGURE_DEPENDS man/*.[0-9])
        foreach(page ${pages})
                set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page})
                get_filename_component(own ${page} NAME_WLE)
                string(REGEX MATCH "[0-9]$" section ${page})
                set(folder ${made}/man${section})
                file(COPY ${page} DESTINATION ${folder})
                set(suffix .${section})
                if(LEAT_GZIP)
                        execute_process(COMMAND ${LEAT_GZIP} -9n ${own}.${section} WORKING_DIRECTORY ${folder}
                                COMMAND_ERROR_IS_FATAL ANY)
                        string(APPEND suffix .gz)
                endif()

                file(STRINGS ${page} lines)
                string(REGEX MATCH "Sh NAME.*;\\.Nd" names "${lines}")
                string(REGEX MATCHALL "\\.Nm [A-Za-z0-9_-]+" names "${names}")
                foreach(name ${names})
                        string(REPLACE ".Nm " "" name ${name})
                        if(NOT name STREQUAL own)
                                file(CREATE_LINK ${own}${suffix} ${folder}/${name}${suffix} SYMBOLIC)
                        endif()
                endforeach()
        endforeach()
        install(DIRECTORY ${made}/ DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT ${component})
endfunction()
