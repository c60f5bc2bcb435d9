# The simulator and its tests: one program per tcp_*.c, TAP on stdout.
add_library(sim STATIC "${PRONGHORN_ROOT}/test/sim/sim.c" "${PRONGHORN_ROOT}/test/sim/flow.c")
target_compile_options(sim PRIVATE ${PRONGHORN_WARNINGS} PUBLIC ${CHECK_CFLAGS})
target_include_directories(sim PUBLIC "${PRONGHORN_ROOT}/test/sim" "${PRONGHORN_ROOT}/test/unit")
target_link_libraries(sim PUBLIC lwip pronghorn_base ${CHECK_LIBRARIES})
file(GLOB sims CONFIGURE_DEPENDS "${PRONGHORN_ROOT}/test/sim/tcp_*.c")
foreach(source ${sims})
  get_filename_component(name "${source}" NAME_WE)
  add_executable(test_sim_${name} "${source}")
  target_compile_options(test_sim_${name} PRIVATE ${PRONGHORN_WARNINGS})
  target_link_libraries(test_sim_${name} PRIVATE sim)
  set_target_properties(test_sim_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/tests")
  add_test(NAME sim_${name} COMMAND test_sim_${name})
endforeach()

# lwIP's own unit tests
include("${PRONGHORN_ROOT}/test/lwip/stock.cmake")
