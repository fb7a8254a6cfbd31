// The files of the tree, as `git ls-files` would list them.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace leat::tidy {

struct SourceFile {
  std::string path;  ///< from the top of the tree
  std::string text;
};

/// All names of the tree; what a name in a comment or an include may lead to.
struct TreeNames {
  std::set<std::string, std::less<>> files;
  std::set<std::string, std::less<>> folders;
  std::set<std::string, std::less<>> base_names;
  std::set<std::string, std::less<>> endings;  ///< "h", "cc", "md"

  void add(const std::string& file);
};

struct Tree {
  std::vector<SourceFile> files;  ///< those that some rule reads
  TreeNames names;                ///< of all
};

/// Leaves out .git, build directories and caches. Results of benchmarks and the fuzzers' corpus are names, not texts.
Tree read_tree(const std::string& root);

/// The one read of this process.
const Tree& the_tree();
/// The text of one of its files; empty if there is none.
std::string_view text_of(const Tree& tree, std::string_view path);

bool is_cpp(std::string_view path);             // *.h, *.cc
bool is_cmake(std::string_view path);           // CMakeLists.txt, *.cmake
bool is_markdown(std::string_view path);        // *.md
bool has_hash_comments(std::string_view path);  // CMake, scripts, units of systemd
bool is_product(std::string_view path);         // what is built for users: neither tests nor bench

std::string_view folder_of(std::string_view path);  // "" at the top
std::string_view base_name_of(std::string_view path);

}  // namespace leat::tidy
