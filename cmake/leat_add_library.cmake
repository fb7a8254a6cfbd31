# leat_add_library(NAME SOURCE...): leat::NAME, a static library that is installed with leat::client. Public headers are
# <leat/...>; Leat's own includes are written from the top of the tree.
function(leat_add_library name)
  add_library(leat_${name} STATIC ${ARGN})
  add_library(leat::${name} ALIAS leat_${name})
  set_target_properties(leat_${name} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON)
  target_compile_features(leat_${name} PUBLIC cxx_std_20)  # whoever uses the headers needs it too
  target_include_directories(leat_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                                 $<INSTALL_INTERFACE:include>
                                          PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(leat_${name} PRIVATE $<BUILD_INTERFACE:leat_flags>)
endfunction()

# With LEAT_UNITY the target's sources are compiled twenty at a time, as most of their time goes into the headers that
# they share. Usage: leat_compile_together(TARGET [SOURCE...]); these SOURCEs are compiled alone all the same.
function(leat_compile_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${LEAT_UNITY} UNITY_BUILD_BATCH_SIZE 20)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
