# For C users: cmake --install build/release --prefix /usr/local
# Library, public headers and pronghorn.pc. The Node addon is not installed: npm packs it.
include(GNUInstallDirs)
configure_file("${CMAKE_CURRENT_SOURCE_DIR}/cmake/pronghorn.pc.in" "${CMAKE_CURRENT_BINARY_DIR}/pronghorn.pc" @ONLY)
install(TARGETS pronghorn pronghorn_tls LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
# Drivers that are plugins of the library lie beside it.
install(CODE "
  file(GLOB plugins \"${CMAKE_BINARY_DIR}/libpronghorn-*.so\")
  file(INSTALL \${plugins} DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}\")")
install(DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.h")
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/pronghorn.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(EXISTS "${PRONGHORN_ROOT}/LICENSE")
  install(FILES "${PRONGHORN_ROOT}/LICENSE" "${PRONGHORN_ROOT}/NOTICE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
endif()
