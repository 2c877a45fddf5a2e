# What `cmake --install` lays down and what the Debian package has in it: the same. From the build directory:
#
#   cpack -G DEB
include(GNUInstallDirs)
# What is installed has been built before; tests are not needed for it.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
find_package(Python3 COMPONENTS Interpreter)

# Which libraries and headers went in, for the bill of materials (deploy/sbom).
target_link_options(sidecar PRIVATE "LINKER:-Map=${CMAKE_BINARY_DIR}/sidecar.map")

install(TARGETS sidecar)
install(FILES deploy/package/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME sidecar)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(EXISTS ${CMAKE_SOURCE_DIR}/LICENSE)
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
endif()

# The unit names the program where it lies, which only the installation knows.
install(CODE "
  set(unit_binary \${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/sidecar)
  configure_file(${CMAKE_SOURCE_DIR}/deploy/package/sidecar.service.in ${CMAKE_BINARY_DIR}/generated/sidecar.service @ONLY)")
install(FILES ${CMAKE_BINARY_DIR}/generated/sidecar.service DESTINATION lib/systemd/system)

# Where the program looks for it, whatever the prefix. One that is there is somebody's own. Its first line tells editors
# where the schema is, which in the sources lies beside it.
install(FILES sidecar.schema.json DESTINATION ${CMAKE_INSTALL_DATADIR}/sidecar)
install(CODE "
  if(NOT EXISTS \"\$ENV{DESTDIR}/etc/sidecar/sidecar.yaml\")
    file(READ \"${CMAKE_SOURCE_DIR}/sidecar.yaml\" text)
    string(REPLACE \"=sidecar.schema.json\" \"=\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/sidecar/sidecar.schema.json\" text \"\${text}\")
    file(WRITE \"${CMAKE_BINARY_DIR}/generated/sidecar.yaml\" \"\${text}\")
    file(INSTALL \"${CMAKE_BINARY_DIR}/generated/sidecar.yaml\" DESTINATION /etc/sidecar)
  endif()")

# The pages say what the program itself says, and the bill of materials what the linker and the compiler noted.
if(Python3_FOUND AND CMAKE_READELF AND NOT CMAKE_CROSSCOMPILING)
  set(documents ${CMAKE_BINARY_DIR}/sidecar.8 ${CMAKE_BINARY_DIR}/sidecar.yaml.5 ${CMAKE_BINARY_DIR}/sbom.spdx.json)
  add_custom_command(OUTPUT ${documents}
    COMMAND Python3::Interpreter -B ${CMAKE_SOURCE_DIR}/deploy/package/man_pages $<TARGET_FILE:sidecar> ${CMAKE_BINARY_DIR}
    COMMAND Python3::Interpreter -B ${CMAKE_SOURCE_DIR}/deploy/sbom ${CMAKE_BINARY_DIR} > ${CMAKE_BINARY_DIR}/sbom.spdx.json
    DEPENDS sidecar deploy/package/man_pages deploy/sbom sidecar.yaml
    VERBATIM)
  add_custom_target(documents ALL DEPENDS ${documents})
  install(FILES ${CMAKE_BINARY_DIR}/sidecar.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
  install(FILES ${CMAKE_BINARY_DIR}/sidecar.yaml.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
  install(FILES ${CMAKE_BINARY_DIR}/sbom.spdx.json DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sidecar)
set(CPACK_PACKAGE_CONTACT "The DDS sidecar's maintainers <sidecar@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "tells clients of the Duke Data Service API what is consistent yet")
set(CPACK_PACKAGE_DESCRIPTION "A reverse proxy for one backend: it forwards everything unchanged, adds what is ready to three endpoints, and
 is configured by one file, /etc/sidecar/sidecar.yaml. The service is neither enabled nor started by the installation.")
set(CPACK_STRIP_FILES ON)
# The configuration is not below the prefix.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${CMAKE_SOURCE_DIR}/deploy/package/conffiles ${CMAKE_SOURCE_DIR}/deploy/package/postinst
  ${CMAKE_SOURCE_DIR}/deploy/package/prerm ${CMAKE_SOURCE_DIR}/deploy/package/postrm)
include(CPack)
