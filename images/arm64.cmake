# Images for ARM64 beside those of an x86_64 build, where Debian's cross compiler is: a build of its own,
# as the preset arm64-images, whose apps and SDK are copied to ours.
# out: FLEET_IMAGE_CPUS, the CPUs that this build makes images for
set(FLEET_IMAGE_CPUS ${FLEET_GUEST_CPU})
find_program(FLEET_ARM64_COMPILER aarch64-linux-gnu-g++)
if(NOT FLEET_PROGRAMS OR NOT FLEET_GUEST_CPU STREQUAL "x86_64" OR NOT FLEET_ARM64_COMPILER)
  return()
endif()
list(APPEND FLEET_IMAGE_CPUS aarch64)

block()
set(arm64 ${CMAKE_BINARY_DIR}/arm64)
set(copy ${CMAKE_COMMAND} -E)
set(targets fleet_sdk)
if(FLEET_TESTS)  # guests that tests/e2e/guest.sh takes from there
  list(APPEND targets dns_crash_aarch64_virtio dns_crash_aarch64_hvt dns_two_aarch64_virtio
    boots_aarch64_virtio)
endif()
set(copies COMMAND ${copy} copy_directory ${arm64}/sdk/aarch64 ${CMAKE_BINARY_DIR}/sdk/aarch64)
foreach(app IN ITEMS dns firewall sensor)
  list(APPEND copies COMMAND ${copy} make_directory ${CMAKE_BINARY_DIR}/images/${app})
  foreach(platform IN ITEMS hvt spt virtio)
    list(APPEND targets ${app}_aarch64_${platform})
    set(file ${app}/${app}.aarch64.${platform})
    list(APPEND copies COMMAND ${copy} copy_if_different
      ${arm64}/images/${file} ${CMAKE_BINARY_DIR}/images/${file})
  endforeach()
endforeach()

include(ExternalProject)
ExternalProject_Add(fleet_arm64_images
  SOURCE_DIR ${CMAKE_SOURCE_DIR}
  BINARY_DIR ${arm64}
  PREFIX ${CMAKE_BINARY_DIR}/arm64-steps
  CMAKE_ARGS
    -DCMAKE_TOOLCHAIN_FILE=${CMAKE_SOURCE_DIR}/boards/arm64-toolchain.cmake
    -DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE} -DFLEET_PROGRAMS=OFF -DLWIP_DIR=${LWIP_DIR}
  BUILD_COMMAND ${CMAKE_COMMAND} --build ${arm64} --target ${targets}
  ${copies}
  INSTALL_COMMAND ""
  BUILD_ALWAYS ON)
endblock()
