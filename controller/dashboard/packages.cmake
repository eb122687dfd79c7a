# Fetches the dashboard's packages where package-lock.json names others than are there; builds of
# several presets share them, and wait for each other here.
#   cmake -DDASHBOARD=... -DNPM=... -P packages.cmake
set(there ${DASHBOARD}/node_modules/.package-lock.json)  # npm writes it last
file(LOCK ${DASHBOARD}/.packages.lock GUARD PROCESS TIMEOUT 600)
if(NOT ${DASHBOARD}/package-lock.json IS_NEWER_THAN ${there})
  return()
endif()
execute_process(
  COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund --silent
  WORKING_DIRECTORY ${DASHBOARD} RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "npm cannot fetch the dashboard's packages; see why: cd ${DASHBOARD} && npm ci")
endif()
file(TOUCH ${there})
