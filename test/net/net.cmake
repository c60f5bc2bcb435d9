# Both ends of the integration tests from the same sources: NAME.kernel and NAME.pronghorn.
foreach(side kernel pronghorn)
  add_executable(net_end_${side} "${PRONGHORN_ROOT}/test/net/end.c" "${PRONGHORN_ROOT}/test/net/end_connection.c")
  target_compile_options(net_end_${side} PRIVATE ${PRONGHORN_WARNINGS})
  target_compile_definitions(net_end_${side} PRIVATE _GNU_SOURCE)
  target_include_directories(net_end_${side} PRIVATE "${PRONGHORN_ROOT}/test/unit")
  set_target_properties(net_end_${side} PROPERTIES
    OUTPUT_NAME "end.${side}" RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/net")
endforeach()
target_compile_definitions(net_end_pronghorn PRIVATE TEST_PRONGHORN)
target_include_directories(net_end_pronghorn PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/include")
target_link_libraries(net_end_pronghorn PRIVATE pronghorn)

# A wire that loses, delays, doubles and disorders frames.
add_executable(net_relay "${PRONGHORN_ROOT}/test/net/relay.c" "${PRONGHORN_ROOT}/test/net/relay_cut.c")
target_compile_options(net_relay PRIVATE ${PRONGHORN_WARNINGS})
target_compile_definitions(net_relay PRIVATE _GNU_SOURCE)
target_include_directories(net_relay PRIVATE "${PRONGHORN_ROOT}/test/unit")
set_target_properties(net_relay PROPERTIES
  OUTPUT_NAME relay RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/net")
