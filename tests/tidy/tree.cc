#include "tests/tidy/tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace leat::tidy {
namespace {

namespace fs = std::filesystem;

bool starts_with_folder(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && path.size() > folder.size() && path[folder.size()] == '/';
}

bool is_left_out(const fs::path& folder, std::string_view name) {
  return name == ".git" || name == ".cache" || name == "build" || fs::exists(folder / "CMakeCache.txt");
}

bool is_read(std::string_view path) {
  if (starts_with_folder(path, "bench/results") || starts_with_folder(path, "tests/fuzz/corpus")) return false;
  return is_cpp(path) || is_markdown(path) || has_hash_comments(path) || path.ends_with(".sabotages") ||
         path.ends_with(".pml") || starts_with_folder(path, "tests/tidy");
}

std::string read_file(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return std::move(text).str();
}

}  // namespace

void TreeNames::add(const std::string& file) {
  files.insert(file);
  const std::string base(base_name_of(file));
  base_names.insert(base);
  if (const std::size_t dot = base.rfind('.'); dot != base.npos && dot != 0) endings.insert(base.substr(dot + 1));
  for (std::string_view folder = folder_of(file); !folder.empty(); folder = folder_of(folder)) folders.emplace(folder);
}

Tree read_tree(const std::string& root) {
  Tree tree;
  for (auto at = fs::recursive_directory_iterator(root); at != fs::recursive_directory_iterator(); ++at) {
    const std::string path = at->path().lexically_relative(root).generic_string();
    if (at->is_directory()) {
      if (is_left_out(at->path(), base_name_of(path))) at.disable_recursion_pending();
    } else if (path != ".git" && path != "compile_commands.json") {
      tree.names.add(path);
      if (is_read(path)) tree.files.push_back({path, read_file(at->path())});
    }
  }
  std::sort(tree.files.begin(), tree.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return tree;
}

const Tree& the_tree() {
  static const Tree tree = read_tree(LEAT_SOURCE_DIR);
  return tree;
}

std::string_view text_of(const Tree& tree, std::string_view path) {
  for (const SourceFile& file : tree.files) {
    if (file.path == path) return file.text;
  }
  return {};
}

bool is_cpp(std::string_view path) { return path.ends_with(".h") || path.ends_with(".cc"); }

bool is_cmake(std::string_view path) { return base_name_of(path) == "CMakeLists.txt" || path.ends_with(".cmake"); }

bool is_markdown(std::string_view path) { return path.ends_with(".md"); }

bool has_hash_comments(std::string_view path) {
  if (is_cmake(path) || path.ends_with(".sh") || path.ends_with(".service")) return true;
  const bool has_ending = base_name_of(path).find('.') != std::string_view::npos;
  return !has_ending && (starts_with_folder(path, "scripts") || starts_with_folder(path, ".ci") ||
                         starts_with_folder(path, "tests/torture") || starts_with_folder(path, "bench/instructions"));
}

bool is_product(std::string_view path) {
  return !starts_with_folder(path, "tests") && !starts_with_folder(path, "bench");
}

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}

std::string_view base_name_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? path : path.substr(slash + 1);
}

}  // namespace leat::tidy
