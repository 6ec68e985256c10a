# How the folders below register their tests. Every test runs inside run_test (see run_test.c there), so that any
# sanitizer's report, in any process, any process left behind and any hang turns it red.
#
#   leat_test(NAME SOURCES … [LIBRARIES …] [SECONDS n])
#       A Criterion program. Not built under ThreadSanitizer, where Debian's Criterion cannot start. Each of its tests
#       has 30 s; one that needs more calls watchdog(), never Criterion's timeout (see criterion_watchdog.c).
#   leat_thread_test(NAME SOURCES … [LIBRARIES …] [SECONDS n])
#       A program with its own main (0 = passed): run by CTest itself under ThreadSanitizer, elsewhere as a child of a
#       Criterion test. For whatever has threads.
#   leat_program_test(NAME COMMAND … [SECONDS n])
#       Any command, for example a script with its interpreter. Exit code 77 means skipped.
#   leat_must_not_compile(NAME SOURCE file [LANGUAGES C CXX])
#       See must_not_compile.sh.
#   leat_helper_program(NAME SOURCES … [LIBRARIES …])
#       A program that tests start; not a test. Its path: $<TARGET_FILE:NAME>.
#   leat_one_at_a_time(LOCK NAME …)
#       Of the tests of that lock only one runs at a time: they are about what all processes of a user share. A name is what stands
#       behind the folder's, for each transport.
#   leat_test_parts(NAME SOURCES … [LIBRARIES …])
#       What several of a folder's programs are made of, compiled once; they have it among their LIBRARIES.
#   leat_battery(NAME COMMAND … [SECONDS n])
#       The long form of a test that is a sample: not run by CTest, but by `./bootstrap.sh battery NAME`, within run_test too.
#
# While leat_transports is set, to LEAT_TRANSPORTS or some of it, what is registered is run once for each of them, as NAME.TRANSPORT.
#
# LIBRARIES is usually leat_static. Private headers of channel/ and kernel/ are found; support.h always is.

# How the channels of a test carry their messages: a name, and what LEAT_LANES says to the library.
set(LEAT_TRANSPORTS
        socket=never
        lanes=always
        automatic=automatic)

set(leat_support_dir ${CMAKE_CURRENT_LIST_DIR})
set(leat_tests_bin ${CMAKE_BINARY_DIR}/tests/bin)
if(LEAT_SANITIZE MATCHES "thread")
        set(LEAT_TSAN ON)
else()
        set(LEAT_TSAN OFF)
endif()

# usage: leat_as_test_code(TARGET [LIBRARIES …])
function(leat_as_test_code target)
        cmake_parse_arguments(PARSE_ARGV 1 t "" "" "LIBRARIES")
        target_link_libraries(${target} PRIVATE leat_test_support leat_warnings ${t_LIBRARIES})
        target_include_directories(${target} PRIVATE
                ${PROJECT_SOURCE_DIR}/channel ${PROJECT_SOURCE_DIR}/channel/include
                ${PROJECT_SOURCE_DIR}/kernel ${PROJECT_SOURCE_DIR}/kernel/include ${PROJECT_SOURCE_DIR})
        # gcc takes three times as long to optimise what a sanitizer has made of a test; what is tested stays optimised.
        if(LEAT_SANITIZE)
                target_compile_options(${target} PRIVATE -O0)
        endif()
endfunction()

function(leat_test_program target)
        cmake_parse_arguments(PARSE_ARGV 1 t "" "" "SOURCES;LIBRARIES")
        add_executable(${target} ${t_SOURCES})
        leat_as_test_code(${target} LIBRARIES ${t_LIBRARIES})
        set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${leat_tests_bin})
endfunction()

function(leat_test_parts name)
        cmake_parse_arguments(PARSE_ARGV 1 t "" "" "SOURCES;LIBRARIES")
        add_library(${name} STATIC ${t_SOURCES})
        leat_as_test_code(${name} LIBRARIES ${t_LIBRARIES})
endfunction()

function(leat_register name seconds)
        get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
        # Targets have one namespace for all folders, tests one a folder: channel_set is channel.set.
        foreach(prefix test_ ${folder}_)
                string(REGEX REPLACE "^${prefix}" "" name ${name})
        endforeach()
        if(NOT seconds)
                set(seconds 180)
        endif()
        math(EXPR limit "${seconds} + 60")
        set(transports "=")
        if(leat_transports)
                set(transports ${leat_transports})
        endif()
        foreach(transport ${transports})
                string(REGEX MATCH "^(.*)=(.*)$" transport ${transport})
                set(test ${folder}.${name})
                set(environment "")
                if(CMAKE_MATCH_1)
                        string(APPEND test .${CMAKE_MATCH_1})
                        set(environment LEAT_LANES=${CMAKE_MATCH_2})
                endif()
                add_test(NAME ${test} COMMAND run_test --seconds ${seconds} ${ARGN})
                set_tests_properties(${test} PROPERTIES TIMEOUT ${limit} SKIP_RETURN_CODE 77 ENVIRONMENT "${environment}")
        endforeach()
endfunction()

function(leat_test name)
        cmake_parse_arguments(PARSE_ARGV 1 t "" "SECONDS" "SOURCES;LIBRARIES")
        if(LEAT_TSAN)
                return()
        endif()
        leat_test_program(${name} SOURCES ${t_SOURCES} $<TARGET_OBJECTS:leat_criterion_watchdog>
                LIBRARIES ${t_LIBRARIES} PkgConfig::CRITERION)
        leat_register(${name} "${t_SECONDS}" $<TARGET_FILE:${name}> -j1)
        leat_under_valgrind(${name} criterion leat_plain_criterion ${t_LIBRARIES})
endfunction()

# For the battery `valgrind`: the program once more as NAME_plain, built only for that: a Criterion program with plain_criterion.c for
# Criterion, each with tests/valgrind/patience.c. The battery is told its name, what it is, and whether each transport is meant.
function(leat_under_valgrind name kind runner)
        if(LEAT_SANITIZE)
                return()
        endif()
        set(target ${name}_plain)
        add_executable(${target} EXCLUDE_FROM_ALL $<TARGET_OBJECTS:${name}>)
        if(runner)
                target_sources(${target} PRIVATE $<TARGET_OBJECTS:${runner}>)
        endif()
        target_link_libraries(${target} PRIVATE leat_test_support ${ARGN} leat_patience)
        set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${leat_tests_bin})
        get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
        foreach(prefix test_ ${folder}_)
                string(REGEX REPLACE "^${prefix}" "" name ${name})
        endforeach()
        set(transports once)
        if(leat_transports)
                set(transports each)
        endif()
        set_property(GLOBAL APPEND PROPERTY leat_valgrind_targets ${target})
        set_property(GLOBAL APPEND_STRING PROPERTY leat_valgrind_programs
                "${folder}.${name} ${kind} ${transports} $<TARGET_FILE:${target}>\n")
endfunction()

function(leat_thread_test name)
        cmake_parse_arguments(PARSE_ARGV 1 t "" "SECONDS" "SOURCES;LIBRARIES")
        leat_test_program(${name} SOURCES ${t_SOURCES} LIBRARIES ${t_LIBRARIES})
        if(LEAT_TSAN)
                leat_register(${name} "${t_SECONDS}" $<TARGET_FILE:${name}>)
                return()
        endif()
        set(runner ${name}_in_criterion)
        leat_test_program(${runner} SOURCES ${leat_support_dir}/criterion_child.c LIBRARIES PkgConfig::CRITERION)
        target_compile_definitions(${runner} PRIVATE "TEST_PROGRAM=\"$<TARGET_FILE:${name}>\"")
        add_dependencies(${runner} ${name})
        leat_register(${name} "${t_SECONDS}" $<TARGET_FILE:${runner}> -j1)
        leat_under_valgrind(${name} program "" ${t_LIBRARIES})
endfunction()

function(leat_program_test name)
        cmake_parse_arguments(PARSE_ARGV 1 t "" "SECONDS" "COMMAND")
        leat_register(${name} "${t_SECONDS}" ${t_COMMAND})
endfunction()

function(leat_helper_program name)
        leat_test_program(${name} ${ARGN})
endfunction()

function(leat_one_at_a_time lock)
        get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
        get_property(tests DIRECTORY PROPERTY TESTS)
        foreach(name ${ARGN})
                set(named ${tests})
                list(FILTER named INCLUDE REGEX "^${folder}[.]${name}([.]|$)")
                if(named)
                        set_tests_properties(${named} PROPERTIES RESOURCE_LOCK ${lock})
                endif()
        endforeach()
endfunction()

function(leat_battery name)
        cmake_parse_arguments(PARSE_ARGV 1 t "" "SECONDS" "COMMAND")
        if(NOT t_SECONDS)
                set(t_SECONDS 7200)
        endif()
        add_custom_target(battery_${name} COMMAND run_test --seconds ${t_SECONDS} ${t_COMMAND} USES_TERMINAL VERBATIM)
endfunction()

function(leat_must_not_compile name)
        cmake_parse_arguments(PARSE_ARGV 1 t "" "SOURCE" "LANGUAGES")
        if(NOT t_LANGUAGES)
                set(t_LANGUAGES C CXX)
        endif()
        list(JOIN t_LANGUAGES " " languages)
        get_filename_component(source ${t_SOURCE} ABSOLUTE)
        leat_register(${name} 120 sh ${leat_support_dir}/must_not_compile.sh ${source} "${languages}"
                -I${PROJECT_SOURCE_DIR}/channel/include -I${PROJECT_SOURCE_DIR}/kernel/include)
endfunction()
