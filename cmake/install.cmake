# Installing: the two programs, the two libraries, the public headers, and a package for find_package(leat CONFIG).
# The broker is a program, not a library: nothing of broker/ is installed but leatd itself.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(LEAT_INSTALL_CMAKEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/leat)

install(TARGETS leat_shm leat_client
        EXPORT leatTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS leatd leat RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# Some public headers lie with shm/, where their code is; outside there is one directory, <leat/...>.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/shm/include/leat ${PROJECT_SOURCE_DIR}/client-lib/include/leat
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
