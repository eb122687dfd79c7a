# What `fleetctl build` makes images of, as ${CMAKE_BINARY_DIR}/sdk: the runtime's headers and lwIP's,
# and for each CPU and platform the same library, flags and linker script as the images here.
#   include/...                        headers, and solo5/manifest.cc, compiled once for each image
#   CPU/{compile.c,compile.cxx,link}   arguments of the compiler, one a line; @sdk@ is this folder
#   CPU/libappliance_c.a               for appliances in C
#   CPU/PLATFORM/{libruntime.a,image.ld}
set(sdk ${CMAKE_BINARY_DIR}/sdk)
set(sdk_includes -I@sdk@/include -I@sdk@/include/images/runtime/net -isystem @sdk@/include/lwip)

function(fleet_sdk_arguments file)
  list(JOIN ARGN "\n" lines)
  file(GENERATE OUTPUT ${sdk}/${FLEET_GUEST_CPU}/${file} CONTENT "${lines}\n")
endfunction()
fleet_sdk_arguments(compile.c ${sdk_includes} ${guest_options})
fleet_sdk_arguments(compile.cxx ${sdk_includes} -std=c++20 ${guest_options} ${guest_cxx_options})
fleet_sdk_arguments(link ${guest_link_options})

set_target_properties(fleet_guest_c PROPERTIES
  OUTPUT_NAME appliance_c ARCHIVE_OUTPUT_DIRECTORY ${sdk}/${FLEET_GUEST_CPU})
set(copies)
# fleet_sdk_copy(FILE COPY): both relative, to the source tree and to the SDK
function(fleet_sdk_copy file copy)
  cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_SOURCE_DIR})
  add_custom_command(OUTPUT ${sdk}/${copy} DEPENDS ${file} VERBATIM
    COMMAND ${CMAKE_COMMAND} -E copy ${file} ${sdk}/${copy})
  set(copies ${copies} ${sdk}/${copy} PARENT_SCOPE)
endfunction()
foreach(platform IN LISTS guest_platforms)
  set_target_properties(fleet_guest_${platform} PROPERTIES
    OUTPUT_NAME runtime ARCHIVE_OUTPUT_DIRECTORY ${sdk}/${FLEET_GUEST_CPU}/${platform})
  set(script images/runtime/solo5/image.ld)
  if(platform STREQUAL "virtio")
    set(script images/runtime/${FLEET_GUEST_CPU}/image.ld)
  endif()
  fleet_sdk_copy(${script} ${FLEET_GUEST_CPU}/${platform}/image.ld)
endforeach()
file(GLOB headers RELATIVE ${CMAKE_SOURCE_DIR} CONFIGURE_DEPENDS
  *.h net/*.h net/arch/*.h solo5/*.h ${CMAKE_SOURCE_DIR}/images/abi/*.h)
foreach(file IN LISTS headers ITEMS images/runtime/solo5/manifest.cc)
  fleet_sdk_copy(${file} include/${file})
endforeach()
file(GLOB_RECURSE headers RELATIVE ${LWIP_DIR}/src/include ${LWIP_DIR}/src/include/*.h)
foreach(file IN LISTS headers)
  fleet_sdk_copy(${LWIP_DIR}/src/include/${file} include/lwip/${file})
endforeach()
fleet_sdk_copy(${LWIP_DIR}/COPYING include/lwip/COPYING)
add_custom_target(fleet_sdk ALL DEPENDS ${copies})
foreach(platform IN LISTS guest_platforms ITEMS c)
  add_dependencies(fleet_sdk fleet_guest_${platform})
endforeach()
install(DIRECTORY ${sdk} DESTINATION share/unifleet COMPONENT sdk)
