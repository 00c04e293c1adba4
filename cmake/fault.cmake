# What test/fault and test/fuzz run beside the program itself. Never part of a product build.
if(VOLARY_TESTS AND VOLARY_FAULTS)
  get_property(_folders GLOBAL PROPERTY VOLARY_FOLDERS)
  file(GLOB _workload CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/fault/workload/*.cc)
  add_executable(volary_workload ${_workload})
  target_include_directories(volary_workload PRIVATE ${CMAKE_SOURCE_DIR}/test/fault)
  target_link_libraries(volary_workload PRIVATE ${_folders})
  volary_precompiled(volary_workload volary_headers)

  add_executable(volary_tracer test/fault/tracer.cc)
  target_link_libraries(volary_tracer PRIVATE volary_flags)
endif()
