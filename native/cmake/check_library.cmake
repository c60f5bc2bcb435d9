# A shared object of ours must resolve every rte_ symbol itself (a missing one shows only when it is
# loaded, or never if weak) and need no library that a plain system lacks. A plugin (PLUGIN: the
# libraries that it is for) takes DPDK from libpronghorn.so, by the version that only that has.
execute_process(COMMAND ${NM} -D --undefined-only ${LIBRARY} OUTPUT_VARIABLE undefined RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "cannot read the symbols of ${LIBRARY}")
endif()
string(REGEX MATCHALL "[ \t](rte_|__rte_|lwip_|tcp_|pbuf_)[A-Za-z0-9_@]*" missing "${undefined}")
if(PLUGIN)
  list(FILTER missing EXCLUDE REGEX "@PRONGHORN_DRIVERS$")
  set(PLUGIN "|libpronghorn|lib(${PLUGIN})")
endif()
list(FILTER missing EXCLUDE REGEX "lwip_delta$") # libpronghorn-tls.so has it
if(missing)
  message(FATAL_ERROR "${LIBRARY} does not resolve: ${missing}")
endif()
execute_process(COMMAND ${READELF} -d ${LIBRARY} OUTPUT_VARIABLE dynamic)
string(REGEX MATCHALL "\\(NEEDED\\)[^\n]*\\[[^]\n]*\\]" needed "${dynamic}")
foreach(entry ${needed})
  string(REGEX REPLACE ".*\\[(.*)\\]" "\\1" name "${entry}")
  if(NOT name MATCHES "^(libpronghorn-tls|libc|libm|libdl|libpthread|librt|libnuma|libbsd|ld-linux-[a-z0-9-]*${PLUGIN})\\.so"
     AND NOT (SANITIZE AND name MATCHES "^lib(asan|ubsan)\\.so"))
    message(FATAL_ERROR "${LIBRARY} needs ${name}: only libc, libnuma, libbsd (and what a plugin is for) are allowed")
  endif()
endforeach()
