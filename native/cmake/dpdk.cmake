# dpdk::static: the distribution's static DPDK with the drivers that a server meets. Linked into a
# shared object it needs no library but libc, libnuma and libbsd.
find_package(PkgConfig REQUIRED)
pkg_check_modules(DPDK REQUIRED libdpdk>=22.11)
pkg_get_variable(DPDK_LIBDIR libdpdk libdir)

# Drivers and buses register themselves in constructors, which nothing refers to: taken whole.
set(DPDK_DRIVERS
  net_virtio net_ice net_i40e net_ixgbe net_iavf net_igc net_e1000 net_ena net_bnxt net_gve net_hns3
  net_hinic net_vmxnet3 net_bond net_tap net_af_packet net_memif net_vhost net_ring net_null net_pcap
  bus_pci bus_vdev mempool_ring)
# What they and we call: taken as needed. Some exist only in some versions of DPDK.
set(DPDK_LIBRARIES
  common_iavf vhost ethdev mbuf mempool ring net kvargs telemetry pci hash meter sched ip_frag security
  gso cryptodev dmadev rcu timer eal log argparse)

# Calls of some drivers and libraries that we answer otherwise (platform/plugins/driver_calls.c says
# why): they are renamed in a copy.
set(dpdk_renamed_net_af_packet setsockopt socket)
set(dpdk_renamed_net_memif munmap connect close)
set(dpdk_renamed_net_tap fcntl64 sigaction)
set(dpdk_renamed_net_virtio accept rte_intr_callback_unregister)
set(dpdk_renamed_telemetry unlink)

# Copies an archive with each of these calls renamed to PREFIX_CALL.
function(dpdk_rename archive renamed prefix)
  get_filename_component(folder "${renamed}" DIRECTORY)
  file(MAKE_DIRECTORY "${folder}")
  set(options)
  foreach(call ${ARGN})
    list(APPEND options --redefine-sym "${call}=${prefix}_${call}")
  endforeach()
  execute_process(COMMAND ${CMAKE_OBJCOPY} ${options} "${archive}" "${renamed}" RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "objcopy cannot rename ${ARGN} in ${archive}")
  endif()
endfunction()

# The archive to link, "" if this DPDK has none.
function(dpdk_archive name result)
  set(archive "${DPDK_LIBDIR}/librte_${name}.a")
  if(NOT EXISTS "${archive}")
    set(archive "")
  elseif(dpdk_renamed_${name})
    set(renamed "${CMAKE_CURRENT_BINARY_DIR}/dpdk/librte_${name}.a")
    dpdk_rename("${archive}" "${renamed}" driver_${name} ${dpdk_renamed_${name}})
    set(archive "${renamed}")
  endif()
  set(${result} "${archive}" PARENT_SCOPE)
endfunction()

set(dpdk_whole "")
foreach(name ${DPDK_DRIVERS})
  dpdk_archive(${name} archive)
  if(archive)
    string(APPEND dpdk_whole ",${archive}")
  else()
    message(STATUS "DPDK ${DPDK_VERSION} has no ${name}: left out")
  endif()
endforeach()
set(dpdk_needed "")
foreach(name ${DPDK_LIBRARIES})
  dpdk_archive(${name} archive)
  if(archive)
    string(APPEND dpdk_needed ",${archive}")
  endif()
endforeach()

# What these drivers call instead. The pcap driver calls libpcap, which would be one library more:
# pcap_calls.c finds it when it is used.
add_library(dpdk_driver_calls STATIC "${CMAKE_CURRENT_SOURCE_DIR}/platform/plugins/driver_calls.c"
  "${CMAKE_CURRENT_SOURCE_DIR}/platform/plugins/pcap_calls.c")
target_compile_options(dpdk_driver_calls PRIVATE ${PRONGHORN_WARNINGS} ${DPDK_CFLAGS})
target_link_libraries(dpdk_driver_calls PRIVATE pronghorn_base)

add_library(dpdk_static INTERFACE)
add_library(dpdk::static ALIAS dpdk_static)
target_compile_options(dpdk_static INTERFACE ${DPDK_CFLAGS})
target_compile_definitions(dpdk_static INTERFACE ALLOW_EXPERIMENTAL_API=1)
# Each list is one linker argument, because CMake may reorder or merge separate ones.
target_link_libraries(dpdk_static INTERFACE
  "-Wl,--whole-archive${dpdk_whole},--no-whole-archive"
  "-Wl,--start-group${dpdk_needed},--end-group"
  dpdk_driver_calls pronghorn_base numa bsd Threads::Threads ${CMAKE_DL_LIBS} m)

# Fails the build of a shared object that would not load everywhere, or needs more libraries than these
# (a plugin's: names joined by |).
function(dpdk_check_library target libraries)
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -DLIBRARY=$<TARGET_FILE:${target}> -DNM=${CMAKE_NM} -DREADELF=${CMAKE_READELF}
            -DSANITIZE=${PRONGHORN_SANITIZE} "-DPLUGIN=${libraries}" -P "${CMAKE_CURRENT_SOURCE_DIR}/cmake/check_library.cmake"
    VERBATIM)
endfunction()
