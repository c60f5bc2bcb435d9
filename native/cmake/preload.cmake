# libpronghorn-preload.so: needs libc only; it opens libpronghorn.so, which lies beside it, when a
# program makes its first socket that may be ours.
add_library(pronghorn_preload SHARED "${CMAKE_CURRENT_SOURCE_DIR}/preload/preload.c")
target_include_directories(pronghorn_preload PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
target_compile_definitions(pronghorn_preload PRIVATE _GNU_SOURCE)
target_compile_options(pronghorn_preload PRIVATE ${PRONGHORN_WARNINGS} -fno-builtin)
target_link_libraries(pronghorn_preload PRIVATE ${CMAKE_DL_LIBS})
target_link_options(pronghorn_preload PRIVATE -Wl,-z,nodelete -Wl,-z,defs)
set_target_properties(pronghorn_preload PROPERTIES OUTPUT_NAME pronghorn-preload
  BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN")
