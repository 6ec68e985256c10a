# How a library of this house is made and installed: shared and static side by side, each found by find_package and by
# pkg-config, wherever the installed tree is moved to.
include(CMakePackageConfigHelpers)

set(leat_cmake_dir ${CMAKE_CURRENT_LIST_DIR})

# leat_archive(TARGET OBJECTS OUTPUT_NAME)
#
# A static library that has no more names for others than the shared one: its objects are linked into one, in which what is
# hidden becomes local. Otherwise a user's own buffer_append() would clash with ours, or be called instead.
function(leat_archive target objects name)
        set(whole ${CMAKE_CURRENT_BINARY_DIR}/${name}.o)
        add_custom_command(OUTPUT ${whole}
                COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o ${whole} $<TARGET_OBJECTS:${objects}>
                COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${whole}
                DEPENDS ${objects} $<TARGET_OBJECTS:${objects}>
                COMMAND_EXPAND_LISTS VERBATIM COMMENT "Linking ${name}.o")
        add_library(${target} STATIC ${whole})
        set_source_files_properties(${whole} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
        set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C OUTPUT_NAME ${name})
endfunction()

# leat_install_library(NAME SHARED ARCHIVE HEADERS)
#
# Installs lib${NAME} with its headers, the folder HEADERS. In find_package(${NAME}) the targets are leat::SHARED and
# leat::SHARED_static. The texts are ${NAME}-config.cmake.in and ${NAME}.pc.in.
function(leat_install_library name shared archive headers)
        set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/${name})
        set(here ${CMAKE_CURRENT_BINARY_DIR})

        set_target_properties(${archive} PROPERTIES EXPORT_NAME ${shared}_static)
        add_library(leat::${shared} ALIAS ${shared})
        add_library(leat::${shared}_static ALIAS ${archive})
        install(TARGETS ${shared} EXPORT ${name}
                LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libraries NAMELINK_COMPONENT development
                INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
        install(TARGETS ${archive} EXPORT ${name}-static
                ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
                INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
        install(DIRECTORY ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
        foreach(export ${name} ${name}-static)
                install(EXPORT ${export} NAMESPACE leat:: FILE ${export}-targets.cmake DESTINATION ${folder}
                        COMPONENT development)
        endforeach()

        configure_package_config_file(${leat_cmake_dir}/${name}-config.cmake.in ${here}/${name}-config.cmake
                INSTALL_DESTINATION ${folder} NO_SET_AND_CHECK_MACRO)
        # As far as the SONAME promises it.
        write_basic_package_version_file(${here}/${name}-config-version.cmake COMPATIBILITY SameMajorVersion)
        install(FILES ${here}/${name}-config.cmake ${here}/${name}-config-version.cmake DESTINATION ${folder}
                COMPONENT development)

        # Seen from the file itself, so that it stays right in a tree that was staged or moved.
        set(PC_FOLDER ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
        file(RELATIVE_PATH PC_PREFIX ${PC_FOLDER} ${CMAKE_INSTALL_PREFIX})
        string(REGEX REPLACE "/$" "" PC_PREFIX ${PC_PREFIX})
        file(RELATIVE_PATH PC_LIBDIR ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
        file(RELATIVE_PATH PC_INCLUDEDIR ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
        configure_file(${leat_cmake_dir}/${name}.pc.in ${here}/${name}.pc @ONLY)
        install(FILES ${here}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endfunction()
