# Cross build for ARM64 with Debian's compiler and its arm64 packages beside the host's own
# (preset arm64). The programs run here under qemu-aarch64-static, where that is installed.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)  # protoc and friends are the host's
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
find_program(FLEET_QEMU_AARCH64 qemu-aarch64-static)
if(FLEET_QEMU_AARCH64)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${FLEET_QEMU_AARCH64})
endif()
