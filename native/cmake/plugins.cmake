# libpronghorn-NAME.so: drivers that need libraries which a plain system lacks. Each is the archive of
# the distribution's DPDK made into a shared object whose undefined symbols are those of
# libpronghorn.so: a second copy of DPDK in the process would be a second, empty one.
#
# For that the library exports what these drivers call, and no more, under a version of its own,
# PRONGHORN_DRIVERS: nobody else's references to DPDK can be bound to it. PRONGHORN_MAP is the version
# script with those names, PRONGHORN_DRIVER_CALLS what the linker must take in for them.

# DPDK's archives, and the libraries: their names for the linker, as their packages call them.
set(plugin_af_xdp_archives net_af_xdp)
set(plugin_af_xdp_libraries bpf xdp)
# Our part beside the driver, and the driver's calls that are renamed to come there ("driver_NAME").
set(plugin_af_xdp_source "${CMAKE_CURRENT_SOURCE_DIR}/platform/plugins/af_xdp.c")
set(plugin_af_xdp_renamed xsk_umem__create xsk_umem__delete xsk_socket__create xsk_socket__delete ioctl rte_free)
set(plugin_mlx5_archives net_mlx5 common_mlx5 bus_auxiliary)
set(plugin_mlx5_libraries ibverbs mlx5)

set(PRONGHORN_PLUGINS)
set(plugin_objects)
foreach(plugin af_xdp mlx5)
  set(missing)
  foreach(name ${plugin_${plugin}_archives})
    set(archive "${DPDK_LIBDIR}/librte_${name}.a")
    if(EXISTS "${archive}")
      list(APPEND plugin_${plugin}_files "${archive}")
    else()
      list(APPEND missing "librte_${name}.a")
    endif()
  endforeach()
  foreach(name ${plugin_${plugin}_libraries})
    find_library(PLUGIN_LIBRARY_${name} NAMES "lib${name}.so")
    if(NOT PLUGIN_LIBRARY_${name})
      list(APPEND missing "lib${name}.so")
    endif()
    list(APPEND plugin_${plugin}_links "${PLUGIN_LIBRARY_${name}}")
  endforeach()
  if(missing)
    message(STATUS "the driver ${plugin} is left out: there is no ${missing}")
  else()
    list(APPEND PRONGHORN_PLUGINS ${plugin})
    list(APPEND plugin_objects ${plugin_${plugin}_files})
    if(plugin_${plugin}_renamed)
      list(GET plugin_${plugin}_files 0 archive)
      get_filename_component(name "${archive}" NAME)
      dpdk_rename("${archive}" "${CMAKE_CURRENT_BINARY_DIR}/dpdk/${name}" driver ${plugin_${plugin}_renamed})
      set(plugin_${plugin}_files "${CMAKE_CURRENT_BINARY_DIR}/dpdk/${name}")
    endif()
  endif()
endforeach()

# Names in the output of `nm -P`, which has one symbol to a line: "name type ...".
function(plugin_symbols out options files)
  execute_process(COMMAND ${CMAKE_NM} -P ${options} ${files} OUTPUT_VARIABLE text ERROR_QUIET)
  string(REGEX MATCHALL "(^|\n)[A-Za-z0-9_]+ [A-Za-z]" lines "${text}")
  string(REGEX REPLACE "\n?([A-Za-z0-9_]+) [A-Za-z]" "\\1" names "${lines}")
  list(REMOVE_DUPLICATES names)
  set(${out} "${names}" PARENT_SCOPE)
endfunction()

set(PRONGHORN_MAP "${CMAKE_CURRENT_SOURCE_DIR}/libpronghorn.map")
set(PRONGHORN_DRIVER_CALLS)
if(PRONGHORN_PLUGINS)
  set(dpdk_files)
  foreach(name ${DPDK_LIBRARIES} ${DPDK_DRIVERS})
    if(EXISTS "${DPDK_LIBDIR}/librte_${name}.a")
      list(APPEND dpdk_files "${DPDK_LIBDIR}/librte_${name}.a")
    endif()
  endforeach()
  plugin_symbols(called "--undefined-only" "${plugin_objects}")
  plugin_symbols(offered "--defined-only;--extern-only" "${dpdk_files}")
  list(APPEND called rte_log rte_vlog rte_mempool_walk) # platform/plugins/af_xdp.c
  list(REMOVE_DUPLICATES called)
  set(calls)
  foreach(name ${called})
    if(name IN_LIST offered)
      list(APPEND calls ${name})
      # One linker argument each, spelt so that CMake does not merge them.
      list(APPEND PRONGHORN_DRIVER_CALLS "-Wl,--undefined=${name}")
    endif()
  endforeach()
  list(SORT calls)
  file(READ "${PRONGHORN_MAP}" map)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PRONGHORN_MAP}")
  set(PRONGHORN_MAP "${CMAKE_CURRENT_BINARY_DIR}/libpronghorn.map")
  list(JOIN calls ";\n    " calls)
  file(CONFIGURE OUTPUT "${PRONGHORN_MAP}" CONTENT "@map@PRONGHORN_DRIVERS {\n  global:\n    @calls@;\n};\n" @ONLY)
endif()

# Once libpronghorn.so is there (core.cmake).
function(pronghorn_plugins)
  foreach(plugin ${PRONGHORN_PLUGINS})
    set(target pronghorn_${plugin})
    add_library(${target} MODULE "${CMAKE_CURRENT_BINARY_DIR}/empty.c" ${plugin_${plugin}_source})
    target_compile_options(${target} PRIVATE ${PRONGHORN_WARNINGS} ${DPDK_CFLAGS})
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE ALLOW_EXPERIMENTAL_API=1)
    list(JOIN plugin_${plugin}_files "," files)
    target_link_libraries(${target} PRIVATE
      "-Wl,--whole-archive,${files},--no-whole-archive" pronghorn ${plugin_${plugin}_links} bsd numa)
    target_link_options(${target} PRIVATE -Wl,-z,nodelete -Wl,-z,defs -Wl,--as-needed
      "-Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/cmake/plugin.map")
    set_target_properties(${target} PROPERTIES PREFIX lib OUTPUT_NAME pronghorn-${plugin}
      LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}" BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN"
      LINK_DEPENDS "${PRONGHORN_MAP}")
    list(JOIN plugin_${plugin}_libraries "|" libraries)
    dpdk_check_library(${target} "${libraries}")
  endforeach()
endfunction()
