# Installing: the two programs (if they are built), the libraries, the public headers, and packages for
# find_package(leat CONFIG) and for pkg-config.
# The broker is a program, not a library: nothing of broker/ is installed but leatd itself.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(LEAT_INSTALL_CMAKEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/leat)

install(TARGETS leat_base leat_record leat_journal leat_shm leat_client
        EXPORT leatTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
foreach(program leatd leat)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/leat
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")

install(EXPORT leatTargets NAMESPACE leat:: DESTINATION ${LEAT_INSTALL_CMAKEDIR})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/leatConfig.cmake.in ${PROJECT_BINARY_DIR}/leatConfig.cmake
                              INSTALL_DESTINATION ${LEAT_INSTALL_CMAKEDIR}
                              NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the shared layouts, so only the same minor version is compatible.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/leatConfigVersion.cmake
                                 VERSION ${PROJECT_VERSION}
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/leatConfig.cmake ${PROJECT_BINARY_DIR}/leatConfigVersion.cmake
        DESTINATION ${LEAT_INSTALL_CMAKEDIR})

# pkg-config finds the prefix by where the file lies, so that the tree may be moved, and `cmake --install --prefix`
# works.
set(LEAT_PC_LIBDIR "${CMAKE_INSTALL_FULL_LIBDIR}")
set(LEAT_PC_INCLUDEDIR "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
set(LEAT_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" AND NOT IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  file(RELATIVE_PATH LEAT_PC_UP "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  string(REGEX REPLACE "/$" "" LEAT_PC_UP "${LEAT_PC_UP}")
  set(LEAT_PC_PREFIX "\${pcfiledir}/${LEAT_PC_UP}")
  set(LEAT_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(LEAT_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/leat.pc.in ${PROJECT_BINARY_DIR}/leat.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/leat.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
