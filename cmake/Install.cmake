# What `cmake --install` and `cpack -G DEB` take along. Two components: program, and dev (with -DFERCLI_DEV=ON).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(FERCLI_MAINTAINER "The fercli developers <dev@fercli.example>" CACHE STRING "who answers for the Debian packages")

install(TARGETS fercli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
install(TARGETS fercli_program RUNTIME DESTINATION ${CMAKE_INSTALL_LIBDIR}/fercli COMPONENT program)
if(NOT CMAKE_CROSSCOMPILING)
  install(DIRECTORY ${FERCLI_PROGRAM_FOLDER}/help DESTINATION ${CMAKE_INSTALL_LIBDIR}/fercli COMPONENT program)
endif()
install(DIRECTORY results/models results/faces DESTINATION ${CMAKE_INSTALL_DATADIR}/fercli COMPONENT program)
if(FERCLI_DOCS AND NOT CMAKE_CROSSCOMPILING)
  install(DIRECTORY ${CMAKE_BINARY_DIR}/man-compressed/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
  install(DIRECTORY ${CMAKE_BINARY_DIR}/completions/ DESTINATION ${CMAKE_INSTALL_DATADIR} COMPONENT program)
endif()

# The date of the revision, so that the same sources give the same package.
execute_process(COMMAND git -C ${CMAKE_SOURCE_DIR} log -1 --format=%ct OUTPUT_VARIABLE FERCLI_REVISION_SECONDS
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(FERCLI_REVISION_SECONDS AND NOT DEFINED ENV{SOURCE_DATE_EPOCH})
  set(ENV{SOURCE_DATE_EPOCH} ${FERCLI_REVISION_SECONDS})
endif()
string(TIMESTAMP CHANGELOG_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)

# Licence and changelogs of one package.
function(fercli_install_documents PACKAGE COMPONENT)
  set(FOLDER ${CMAKE_BINARY_DIR}/generated/doc/${PACKAGE})
  configure_file(cmake/package/changelog.in ${FOLDER}/changelog.Debian @ONLY)
  configure_file(CHANGELOG.md ${FOLDER}/changelog COPYONLY)
  execute_process(COMMAND gzip -9nf ${FOLDER}/changelog.Debian ${FOLDER}/changelog)
  install(FILES cmake/package/copyright ${FOLDER}/changelog.Debian.gz ${FOLDER}/changelog.gz
          DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${PACKAGE} COMPONENT ${COMPONENT})
endfunction()
fercli_install_documents(fercli program)

if(TARGET fercli_mpi)
  install(TARGETS fercli_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/fercli COMPONENT mpi)
  fercli_install_documents(fercli-mpi mpi)
endif()

# What plug-ins are built with.
install(DIRECTORY src/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/fercli COMPONENT dev FILES_MATCHING PATTERN *.hpp
        PATTERN precompiled.hpp EXCLUDE PATTERN page EXCLUDE PATTERN proto EXCLUDE PATTERN manual EXCLUDE)
install(DIRECTORY attacks DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/fercli COMPONENT dev FILES_MATCHING PATTERN *.hpp)
install(FILES ${CMAKE_BINARY_DIR}/generated/plug_in_headers.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/fercli COMPONENT dev)
configure_package_config_file(cmake/package/fercliConfig.cmake.in ${CMAKE_BINARY_DIR}/generated/fercliConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/fercli PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/generated/fercliConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/generated/fercliConfig.cmake ${CMAKE_BINARY_DIR}/generated/fercliConfigVersion.cmake
        cmake/Dependencies.cmake cmake/PlugIn.cmake src/core/plug_in_mark.cpp
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/fercli COMPONENT dev)

if(FERCLI_DEV)
  add_library(fercli_static STATIC $<TARGET_OBJECTS:fercli_objects>)
  set_target_properties(fercli_static PROPERTIES OUTPUT_NAME fercli LINKER_LANGUAGE CXX)
  install(TARGETS fercli_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
  fercli_install_documents(fercli-dev dev)
endif()

# Debian packages.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME fercli)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "adversarial robustness of facial expression recognition")
set(CPACK_PACKAGE_VENDOR "The fercli developers")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
    WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${FERCLI_MAINTAINER}")
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL program)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME fercli)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS opencv-data)  # by which faces are found
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS "libopenblas0-openmp | libopenblas0, gnuplot-nox, fonts-dejavu-core")
set(CPACK_DEBIAN_PROGRAM_DESCRIPTION "Trains networks for facial expression recognition, measures how accurate
and how robust they are, and changes a face so that a network reads another
emotion while nobody sees the change. A standard and a robust network and
seventy drawn faces come with the program.")

if(TARGET fercli_mpi)
  list(APPEND CPACK_COMPONENTS_ALL mpi)
  set(CPACK_DEBIAN_MPI_PACKAGE_NAME fercli-mpi)
  set(CPACK_DEBIAN_MPI_PACKAGE_SECTION science)
  set(CPACK_DEBIAN_MPI_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_MPI_PACKAGE_DEPENDS "fercli (= ${PROJECT_VERSION}-1)")
  set(CPACK_DEBIAN_MPI_PACKAGE_RECOMMENDS openmpi-bin)
  set(CPACK_DEBIAN_MPI_DESCRIPTION "Lets fercli run under mpirun and srun: the processes of several machines share
the images of one evaluation, attack or report.")
endif()

if(FERCLI_DEV)
  list(APPEND CPACK_COMPONENTS_ALL dev)
  set(FERCLI_DEV_NEEDS libtorch-dev libopencv-dev libboost-dev libboost-program-options-dev libfmt-dev
      nlohmann-json3-dev libssl-dev libprotobuf-dev protobuf-compiler libonnx-dev libhdf5-dev libzip-dev libjpeg-dev
      libpng-dev libtiff-dev libwebp-dev libfreetype-dev)
  if(FERCLI_USES_ONEDNN)
    list(APPEND FERCLI_DEV_NEEDS libdnnl-dev)
  endif()
  list(JOIN FERCLI_DEV_NEEDS ", " CPACK_DEBIAN_DEV_PACKAGE_DEPENDS)
  set(CPACK_DEBIAN_DEV_PACKAGE_NAME fercli-dev)
  set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
  set(CPACK_DEBIAN_DEV_PACKAGE_RECOMMENDS "fercli (= ${PROJECT_VERSION}-1)")
  set(CPACK_DEBIAN_DEV_DESCRIPTION "The library that the program fercli is made of, with its headers and a CMake
package: find_package(fercli) gives the target fercli::fercli, and
fercli_add_plugin, by which plug-ins of the program are built.")
endif()
include(CPack)
