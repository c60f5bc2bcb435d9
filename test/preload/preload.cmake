# Unmodified programs, for the shim (test/preload/*.test.ts).
set(preload_calls_sources calls calls_sockets calls_processes calls_odd calls_guarded)
set(preload_first_sources first)
foreach(program calls first)
  add_executable(preload_${program})
  foreach(source ${preload_${program}_sources})
    target_sources(preload_${program} PRIVATE "${PRONGHORN_ROOT}/test/preload/${source}.c")
  endforeach()
  target_compile_definitions(preload_${program} PRIVATE _GNU_SOURCE)
  target_compile_options(preload_${program} PRIVATE ${PRONGHORN_WARNINGS})
  target_link_libraries(preload_${program} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
  set_target_properties(preload_${program} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/net" OUTPUT_NAME ${program})
endforeach()
