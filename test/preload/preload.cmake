# calls.c: an unmodified program, for the shim (test/preload/*.test.ts).
add_executable(preload_calls "${PRONGHORN_ROOT}/test/preload/calls.c")
target_compile_definitions(preload_calls PRIVATE _GNU_SOURCE)
target_compile_options(preload_calls PRIVATE ${PRONGHORN_WARNINGS})
target_link_libraries(preload_calls PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
set_target_properties(preload_calls PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/net" OUTPUT_NAME calls)
