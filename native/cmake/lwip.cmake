# lwip: lwIP (fetched, patched, made instance-able) with our modules inside it, as one object. It is
# linked with "ld -r" first, so that the instance template is one piece between two symbols.
set(LWIP_DIR "${CMAKE_CURRENT_SOURCE_DIR}/lwip")
set(LWIP_TREE "${CMAKE_CURRENT_BINARY_DIR}/lwip")

# The prepared tree depends on these files and nothing else; a change prepares it anew.
file(GLOB LWIP_RECIPE CONFIGURE_DEPENDS "${LWIP_DIR}/patches/*.patch")
list(APPEND LWIP_RECIPE "${LWIP_DIR}/source.json" "${LWIP_DIR}/instance.vars"
  "${LWIP_DIR}/prepare" "${LWIP_DIR}/transform.pl" "${LWIP_DIR}/flight.pl")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${LWIP_RECIPE})
set(recipe)
foreach(file ${LWIP_RECIPE})
  file(SHA256 "${file}" hash)
  string(APPEND recipe "${hash} ${file}\n")
endforeach()
set(prepared)
if(EXISTS "${LWIP_TREE}/.recipe")
  file(READ "${LWIP_TREE}/.recipe" prepared)
endif()
if(NOT prepared STREQUAL recipe)
  execute_process(COMMAND "${LWIP_DIR}/fetch" "${PRONGHORN_ROOT}/.cache/lwip"
    OUTPUT_VARIABLE tarball OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "lwIP's source could not be fetched")
  endif()
  execute_process(COMMAND "${LWIP_DIR}/prepare" "${tarball}" "${LWIP_TREE}" RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "lwIP's source could not be prepared")
  endif()
  file(WRITE "${LWIP_TREE}/.recipe" "${recipe}")
endif()

set(LWIP_SOURCES)
foreach(name
    core/def core/inet_chksum core/init core/ip core/mem core/memp core/netif core/pbuf core/stats
    core/tcp core/tcp_in core/tcp_out core/udp
    core/ipv4/etharp core/ipv4/icmp core/ipv4/igmp core/ipv4/ip4 core/ipv4/ip4_addr
    core/ipv4/ip4_frag
    core/ipv6/ethip6 core/ipv6/icmp6 core/ipv6/inet6 core/ipv6/ip6 core/ipv6/ip6_addr
    core/ipv6/ip6_frag core/ipv6/mld6 core/ipv6/nd6
    netif/ethernet)
  list(APPEND LWIP_SOURCES "${LWIP_TREE}/src/${name}.c")
endforeach()

# Ours that have variables in the template. packet.c and netif_port.c stand outside (core.cmake).
set(PRONGHORN_LWIP_MODULES)
foreach(name checksum counters demux events fragment_checksum hooks icmp_error instance isn memory multicast multicast_report path_mtu paths ports siphash tcp_congestion tcp_cookie tcp_flight tcp_info tcp_limits tcp_recovery tcp_timeout tcp_timer timers)
  list(APPEND PRONGHORN_LWIP_MODULES "${LWIP_DIR}/${name}.c")
endforeach()

# lwipopts.h and arch/ stand in a folder of their own: beside our other headers, <memory.h> would be
# ours instead of libc's. As system folders, so that stock headers raise no warnings.
set(LWIP_INCLUDES "${LWIP_DIR}/options" "${LWIP_TREE}/src/include")

add_library(lwip_stock OBJECT ${LWIP_SOURCES})
target_compile_options(lwip_stock PRIVATE -w)
add_library(lwip_modules OBJECT ${PRONGHORN_LWIP_MODULES})
target_compile_options(lwip_modules PRIVATE ${PRONGHORN_WARNINGS})
foreach(target lwip_stock lwip_modules)
  target_include_directories(${target} SYSTEM PRIVATE ${LWIP_INCLUDES})
  target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE $<$<CONFIG:Debug>:PRONGHORN_DEBUG=1>)
  if(PRONGHORN_SANITIZE)
    # Red zones around globals would lie inside the template, which is copied as a whole.
    # lwIP shifts bytes into the sign bit, which every compiler it knows defines.
    target_compile_options(${target} PRIVATE --param=asan-globals=0 -fno-sanitize=shift)
  endif()
endforeach()

set(LWIP_OBJECT "${CMAKE_CURRENT_BINARY_DIR}/lwip.o")
add_custom_command(OUTPUT "${LWIP_OBJECT}"
  COMMAND ${CMAKE_C_COMPILER} -nostdlib -no-pie -r "-Wl,-T,${LWIP_DIR}/instance.ld" -o "${LWIP_OBJECT}"
    $<TARGET_OBJECTS:lwip_stock> $<TARGET_OBJECTS:lwip_modules>
  COMMAND "${LWIP_DIR}/check_object" "${CMAKE_NM}" "${LWIP_OBJECT}"
  DEPENDS lwip_stock lwip_modules $<TARGET_OBJECTS:lwip_stock> $<TARGET_OBJECTS:lwip_modules>
    "${LWIP_DIR}/instance.ld" "${LWIP_DIR}/check_object"
  COMMAND_EXPAND_LISTS VERBATIM)
add_library(lwip STATIC "${LWIP_OBJECT}")
set_target_properties(lwip PROPERTIES LINKER_LANGUAGE C)
set_source_files_properties("${LWIP_OBJECT}" PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
target_include_directories(lwip SYSTEM INTERFACE ${LWIP_INCLUDES})
# The distance to the instance whose turn it is: 8 bytes of static TLS in a library of their own.
add_library(pronghorn_tls SHARED "${LWIP_DIR}/delta.c")
target_include_directories(pronghorn_tls PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
target_compile_options(pronghorn_tls PRIVATE ${PRONGHORN_WARNINGS})
set_target_properties(pronghorn_tls PROPERTIES OUTPUT_NAME pronghorn-tls)
target_link_libraries(lwip INTERFACE pronghorn_base pronghorn_tls)
