# pronghorn_core: all layers as one static library, for the C tests and the addon;
# pronghorn: the shared library with the exported names of libpronghorn.map and nothing else.
set(PRONGHORN_CORE_SOURCES)
foreach(layer platform port lwip stack control socket loop fd console api)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${layer}/*.c")
  list(APPEND PRONGHORN_CORE_SOURCES ${sources})
endforeach()
# Those that are part of the instance template are linked into lwip (lwip.cmake).
list(REMOVE_ITEM PRONGHORN_CORE_SOURCES ${PRONGHORN_LWIP_MODULES} "${CMAKE_CURRENT_SOURCE_DIR}/lwip/delta.c")
if(NOT TARGET lwip)
  add_library(lwip INTERFACE)
endif()
add_library(pronghorn_core STATIC ${PRONGHORN_CORE_SOURCES})
target_compile_options(pronghorn_core PRIVATE ${PRONGHORN_WARNINGS})
target_compile_definitions(pronghorn_core PRIVATE PRONGHORN_VERSION="${PROJECT_VERSION}")
target_link_libraries(pronghorn_core PUBLIC pronghorn_base lwip dpdk::static)

file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/empty.c" "typedef int pronghorn_empty;\n")
add_library(pronghorn SHARED "${CMAKE_CURRENT_BINARY_DIR}/empty.c")
target_link_libraries(pronghorn PRIVATE
  -Wl,--whole-archive $<TARGET_FILE:pronghorn_core> $<TARGET_FILE:pronghorn_base> -Wl,--no-whole-archive
  ${PRONGHORN_DRIVER_CALLS} lwip dpdk::static Threads::Threads ${CMAKE_DL_LIBS} m)
add_dependencies(pronghorn pronghorn_core pronghorn_base)
# nodelete: a dlclose() under a running stack thread would unmap its code. symbolic: what is exported
# for the plugins may be called otherwise by nobody, also not by a program with a DPDK of its own.
target_link_options(pronghorn PRIVATE -Wl,-z,nodelete -Wl,-z,defs -Wl,-Bsymbolic
  "-Wl,--version-script=${PRONGHORN_MAP}")
# $ORIGIN: the folder of the libraries may be moved (npm packs it).
set_target_properties(pronghorn PROPERTIES LINK_DEPENDS "${PRONGHORN_MAP}"
  BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN")
dpdk_check_library(pronghorn "")
pronghorn_plugins()
