# pronghorn.node: the Node-API addon (native/node/*.cc) over libpronghorn.so.
#
# Headers come from the npm package node-api-headers: cmake-js passes it in CMAKE_JS_INC, everybody
# else finds it in node_modules. Without them (a C user who never ran npm)
# the addon is left out.
file(GLOB PRONGHORN_NODE_SOURCES CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/node/*.cc")
set(PRONGHORN_NODE_INCLUDES ${CMAKE_JS_INC})
if(NOT PRONGHORN_NODE_INCLUDES)
  file(GLOB PRONGHORN_NODE_INCLUDES "${PRONGHORN_ROOT}/node_modules/node-api-headers/include")
endif()

if(PRONGHORN_NODE_SOURCES AND PRONGHORN_NODE_INCLUDES)
  add_library(pronghorn_node MODULE ${PRONGHORN_NODE_SOURCES})
  set_target_properties(pronghorn_node PROPERTIES
    PREFIX "" OUTPUT_NAME pronghorn SUFFIX .node
    LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}"
    BUILD_RPATH "$ORIGIN" INSTALL_RPATH "$ORIGIN")
  target_include_directories(pronghorn_node PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}/include")
  target_include_directories(pronghorn_node SYSTEM PRIVATE ${PRONGHORN_NODE_INCLUDES})
  target_compile_definitions(pronghorn_node PRIVATE NAPI_VERSION=8 _GNU_SOURCE)
  target_compile_options(pronghorn_node PRIVATE ${PRONGHORN_WARNINGS} -fno-exceptions -fno-rtti)
  # nodelete: Node unmaps an addon when its last worker ends, under a running stack thread.
  # The C++ runtime is linked in: the package must load where no libstdc++ of this age is.
  target_link_options(pronghorn_node PRIVATE -Wl,-z,nodelete -static-libstdc++ -static-libgcc)
  target_link_libraries(pronghorn_node PRIVATE pronghorn)
else()
  message(STATUS "the Node addon is left out: no sources, or node-api-headers not found (npm ci)")
endif()
