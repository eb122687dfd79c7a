# Builds the dashboard with npm, offline but for the first time: packages as package-lock.json names
# them, once for all presets, no script of a package runs. Sets dashboard_files.
find_program(NPM_PROGRAM npm)
if(NOT NPM_PROGRAM)
  message(FATAL_ERROR "npm is missing, the dashboard needs it; run deploy/install-deps.sh")
endif()
set(dashboard ${CMAKE_CURRENT_SOURCE_DIR}/dashboard)
set(packages ${CMAKE_CURRENT_BINARY_DIR}/dashboard_packages)
add_custom_command(
  OUTPUT ${packages}
  COMMAND ${CMAKE_COMMAND} -DDASHBOARD=${dashboard} -DNPM=${NPM_PROGRAM} -P ${dashboard}/packages.cmake
  COMMAND ${CMAKE_COMMAND} -E touch ${packages}
  DEPENDS ${dashboard}/package-lock.json ${dashboard}/packages.cmake
  COMMENT "Looking after the dashboard's packages" VERBATIM)

file(GLOB_RECURSE dashboard_sources CONFIGURE_DEPENDS
  ${dashboard}/src/*.ts ${dashboard}/src/*.tsx ${dashboard}/src/*.css ${dashboard}/public/*)
set(dist ${CMAKE_CURRENT_BINARY_DIR}/dashboard)
set(dashboard_files ${dist}/index.html ${dist}/app.js ${dist}/plots.js ${dist}/style.css ${dist}/icon.svg)
add_custom_command(
  OUTPUT ${dashboard_files}
  COMMAND ${dashboard}/node_modules/.bin/tsc --noEmit
  COMMAND ${dashboard}/node_modules/.bin/vite build --outDir ${dist} --emptyOutDir --logLevel warn
  COMMAND ${CMAKE_COMMAND} -E touch ${dashboard_files}
  DEPENDS ${packages} ${dashboard_sources} ${dashboard}/index.html ${dashboard}/vite.config.ts
          ${dashboard}/tsconfig.json
  WORKING_DIRECTORY ${dashboard}
  COMMENT "Building the dashboard" VERBATIM)
