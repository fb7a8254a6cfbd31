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
