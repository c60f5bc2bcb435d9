# lwIP's own unit tests, from the same source package, against our patched and transformed sources, with
# every assertion on. They bring their own lwipopts.h; ours does not apply.
set(LWIP_TEST_SOURCES)
set(LWIP_TESTDIR "${LWIP_TREE}/test/unit")
foreach(name lwip_unittests api/test_sockets arch/sys_arch core/test_def core/test_mem core/test_netif
    core/test_pbuf core/test_timers dhcp/test_dhcp etharp/test_etharp ip4/test_ip4 ip6/test_ip6
    mdns/test_mdns mqtt/test_mqtt tcp/tcp_helper tcp/test_tcp_oos tcp/test_tcp udp/test_udp)
  list(APPEND LWIP_TEST_SOURCES "${LWIP_TESTDIR}/${name}.c")
endforeach()
file(GLOB stock "${LWIP_TREE}/src/core/*.c" "${LWIP_TREE}/src/core/ipv4/*.c"
  "${LWIP_TREE}/src/core/ipv6/*.c" "${LWIP_TREE}/src/api/*.c")
list(APPEND LWIP_TEST_SOURCES ${stock} "${LWIP_TREE}/src/netif/ethernet.c"
  "${LWIP_TREE}/src/apps/mdns/mdns.c" "${LWIP_TREE}/src/apps/mqtt/mqtt.c")
foreach(name delta demux events fragment_checksum icmp_error memory path_mtu paths ports siphash tcp_congestion tcp_flight tcp_recovery tcp_timeout tcp_timer)
  list(APPEND LWIP_TEST_SOURCES "${LWIP_DIR}/${name}.c")
endforeach()
add_executable(test_lwip_stock "${PRONGHORN_ROOT}/test/lwip/stock.c" ${LWIP_TEST_SOURCES})
set_source_files_properties("${LWIP_TESTDIR}/lwip_unittests.c" PROPERTIES
  COMPILE_DEFINITIONS "main=stock_main")
target_include_directories(test_lwip_stock BEFORE PRIVATE "${LWIP_TESTDIR}"
  "${PRONGHORN_ROOT}/test/lwip" "${CMAKE_CURRENT_SOURCE_DIR}" "${LWIP_DIR}/options"
  "${LWIP_TREE}/src/include")
# What our modules cannot be built without; the tests' peers agree to none of it.
target_compile_definitions(test_lwip_stock PRIVATE LWIP_TCP_SACK_OUT=1 LWIP_TCP_TIMESTAMPS=1
  LWIP_TCP_KEEPALIVE=1 IPV6_FRAG_COPYHEADER=1 TCP_PCB_CONGESTION=1
  LWIP_NETIF_HWADDRHINT=1)
# Their assertions print nothing and compare members of packed structs: not ours to warn about.
target_compile_options(test_lwip_stock PRIVATE -w -include "${PRONGHORN_ROOT}/test/lwip/stock.h")
if(PRONGHORN_SANITIZE)
  # as for the lwip library (native/cmake/lwip.cmake)
  target_compile_options(test_lwip_stock PRIVATE --param=asan-globals=0 -fno-sanitize=shift,alignment)
endif()
target_link_libraries(test_lwip_stock PRIVATE pronghorn_base ${CHECK_LIBRARIES})
set_target_properties(test_lwip_stock PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/tests")
add_test(NAME lwip_stock COMMAND test_lwip_stock)
