# Writes version.cpp: the project's version and the commit that is built. As a script it runs with each build, and writes
# only if something has changed: cmake -DSOURCE=... -DOUTPUT=... -DVERSION=... [-DREVISION=...] -P revision.cmake
if(CMAKE_SCRIPT_MODE_FILE)
  if(NOT REVISION)
    find_program(GIT git)
    if(GIT)
      execute_process(COMMAND ${GIT} -C ${SOURCE} describe --always --abbrev=12 --exclude=* --dirty=+
        OUTPUT_VARIABLE REVISION OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    endif()
  endif()
  if(NOT REVISION)
    set(REVISION unknown)
  endif()
  file(CONFIGURE OUTPUT ${OUTPUT} CONTENT [[#include "sidecar/version.hpp"

std::string_view sidecar::version() noexcept { return "@VERSION@"; }
std::string_view sidecar::revision() noexcept { return "@REVISION@"; }
]] @ONLY)
  return()
endif()

set(SIDECAR_REVISION "" CACHE STRING "what --version calls the revision; empty: git is asked")

function(sidecar_revision target)
  set(output ${CMAKE_BINARY_DIR}/generated/version.cpp)
  add_custom_target(sidecar_revision BYPRODUCTS ${output} COMMENT "revision"
    COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR} -DOUTPUT=${output} -DVERSION=${PROJECT_VERSION}
      -DREVISION=${SIDECAR_REVISION} -P ${CMAKE_SOURCE_DIR}/cmake/revision.cmake)
  add_dependencies(${target} sidecar_revision)
  target_sources(${target} PRIVATE ${output})
  # clang-tidy is to judge a batch that has not been built.
  set_source_files_properties(${output} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
