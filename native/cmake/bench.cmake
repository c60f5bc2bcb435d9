# The benchmark programs, each built twice from the same source: NAME.kernel on the kernel's calls
# and NAME.pronghorn on the shared library. bench/run.ts runs them in pairs.
set(PRONGHORN_BENCH_DIR "${PRONGHORN_ROOT}/bench/c")
set(bench_shared "${PRONGHORN_BENCH_DIR}/options.c" "${PRONGHORN_BENCH_DIR}/connection.c")
foreach(name rr stream crr flat life feed sockets)
  foreach(side kernel pronghorn)
    set(target bench_${name}_${side})
    add_executable(${target} EXCLUDE_FROM_ALL "${PRONGHORN_BENCH_DIR}/${name}.c" ${bench_shared})
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    target_compile_options(${target} PRIVATE ${PRONGHORN_WARNINGS})
    set_target_properties(${target} PROPERTIES
      OUTPUT_NAME "${name}.${side}" RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/bench")
  endforeach()
  target_compile_definitions(bench_${name}_pronghorn PRIVATE BENCH_PRONGHORN)
  target_include_directories(bench_${name}_pronghorn PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/include")
  target_link_libraries(bench_${name}_pronghorn PRIVATE pronghorn)
endforeach()
# All of them; `npm run bench` asks for this target, a plain build does not make them.
add_custom_target(bench_programs DEPENDS bench_kernel bench_rr_pronghorn bench_stream_pronghorn
  bench_crr_pronghorn bench_flat_pronghorn bench_life_pronghorn bench_feed_pronghorn bench_sockets_pronghorn)
# The kernel's side alone, without building the core.
add_custom_target(bench_kernel DEPENDS bench_rr_kernel bench_stream_kernel bench_crr_kernel
  bench_flat_kernel bench_life_kernel bench_feed_kernel bench_sockets_kernel)
