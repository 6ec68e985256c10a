# `cpack` makes three Debian packages, without root: libleat0, what programs run with; libleat-dev, what they are compiled with; and
# leat-kernel, the kernel and its plugins.
set(LEAT_PACKAGER "The Leat authors <leat@example.org>" CACHE STRING "Whom a package names as its maintainer")

# Each package has its licence where Debian looks for it.
foreach(package libraries:libleat0 development:libleat-dev kernel:leat-kernel)
        string(REGEX MATCH "(.*):(.*)" package ${package})
        install(FILES ${PROJECT_SOURCE_DIR}/LICENSE RENAME copyright COMPONENT ${CMAKE_MATCH_1}
                DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/${CMAKE_MATCH_2})
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME leat)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # Each package has its own.
set(CPACK_PACKAGE_CONTACT "${LEAT_PACKAGER}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
        OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_COMPONENTS_ALL libraries development kernel)
set(CPACK_DEB_COMPONENT_INSTALL ON)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_LIBRARIES_PACKAGE_NAME libleat0)
set(CPACK_DEBIAN_LIBRARIES_PACKAGE_SECTION libs)
set(CPACK_COMPONENT_LIBRARIES_DESCRIPTION
        "typed channels between processes, shared libraries\nThey carry typed messages, and the channels themselves, between threads and processes.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libleat-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
        "libleat0 (= ${PROJECT_VERSION}), libmsgpack-dev, libsodium-dev") # The latter two for a static program.
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
        "typed channels between processes, for developers\nHeaders, static libraries, and files for CMake and pkg-config.")

set(CPACK_DEBIAN_KERNEL_PACKAGE_NAME leat-kernel)
set(CPACK_DEBIAN_KERNEL_PACKAGE_SECTION utils)
set(CPACK_COMPONENT_KERNEL_DESCRIPTION
        "starts plugins as processes and carries events between them\nWith three plugins, one of which lets programs that speak JSON over TCP take part.")

include(CPack)
