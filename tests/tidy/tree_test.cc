// The rules on the tree as it is. Each test lists all that its rule finds.
#include "tests/tidy/tree.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "tests/tidy/advice.h"
#include "tests/tidy/columns.h"
#include "tests/tidy/dead_includes.h"
#include "tests/tidy/file_names.h"
#include "tests/tidy/layers.h"
#include "tests/tidy/removed_words.h"
#include "tests/tidy/symbol_names.h"
#include "tests/tidy/troubleshooting.h"
#include "tests/tidy/violation.h"

namespace leat::tidy {
namespace {

constexpr const char* kAllowed = "tests/tidy/allowed.txt";
constexpr const char* kLayers = "tests/tidy/layers.txt";
constexpr const char* kRemovedWords = "tests/tidy/removed_words.txt";
constexpr const char* kTroubles = "docs/troubleshooting.md";

using Names = std::set<std::string, std::less<>>;

/// The comments and tests of the rules give examples of what they find.
bool has_examples(std::string_view path) { return path.starts_with("tests/tidy/"); }

/// What `check(path, text)` finds in any file and allowed.txt does not take.
template <typename Check>
std::vector<Violation> in_the_tree(std::string_view rule, Check check) {
  std::vector<Violation> all;
  for (const SourceFile& file : the_tree().files) {
    for (Violation& one : check(file.path, file.text)) all.push_back(std::move(one));
  }
  return Allowed(kAllowed, text_of(the_tree(), kAllowed)).rest(rule, all);
}

void expect_none(const std::vector<Violation>& violations) {
  EXPECT_TRUE(violations.empty()) << violations.size() << " violations:\n" << to_string(violations);
}

TEST(TidyTree, LeavesOutWhatGitDoesNotList) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(testing::TempDir()) / ("leat-tidy-" + std::to_string(::getpid()));
  for (const char* name : {"a/b.h", "scripts/go", "bench/results/r.md", "tests/fuzz/corpus/1.md", "build/x.h",
                           ".git/x.h", "out/CMakeCache.txt", "out/x.h", "picture.png"}) {
    fs::create_directories((root / name).parent_path());
    std::ofstream(root / name) << "text\n";
  }
  const Tree tree = read_tree(root.string());
  fs::remove_all(root);
  EXPECT_EQ(tree.names.files,
            (Names{"a/b.h", "bench/results/r.md", "picture.png", "scripts/go", "tests/fuzz/corpus/1.md"}));
  ASSERT_EQ(tree.files.size(), 2U);
  EXPECT_EQ(tree.files[0].path, "a/b.h");
  EXPECT_EQ(tree.files[1].text, "text\n");
  EXPECT_TRUE(tree.names.folders.contains("tests/fuzz"));
}

TEST(Tidy, TheWalkFindsTheTree) {
  EXPECT_GT(the_tree().files.size(), 300U);
  EXPECT_FALSE(text_of(the_tree(), kTroubles).empty());
  EXPECT_FALSE(text_of(the_tree(), kLayers).empty());
  EXPECT_FALSE(text_of(the_tree(), kAllowed).empty());
  EXPECT_FALSE(text_of(the_tree(), kRemovedWords).empty());
  for (const std::string& file : the_tree().names.files) {
    EXPECT_FALSE(file.starts_with("build/") || file.starts_with(".git/")) << file;
  }
}

TEST(Tidy, NoLineIsTooLong) { expect_none(in_the_tree("columns", long_lines)); }

TEST(Tidy, EveryFileThatIsNamedIsThere) {
  expect_none(in_the_tree("files", [](const std::string& path, auto& text) {
    return has_examples(path) ? std::vector<Violation>{} : missing_files(path, text, the_tree().names);
  }));
}

TEST(Tidy, EverySymbolThatIsNamedIsThere) {
  Names tests;
  Names words;
  for (const SourceFile& file : the_tree().files) {
    if (is_cpp(file.path)) add_tests(file.text, tests);
    if (file.path.ends_with("CMakeLists.txt")) add_ctest_names(file.text, tests);
    add_words(file.path, file.text, words);
  }
  expect_none(in_the_tree("symbols", [&](const std::string& path, auto& text) {
    if (has_examples(path)) return std::vector<Violation>{};
    std::vector<Violation> found = missing_tests(path, text, tests);
    for (Violation& one : missing_symbols(path, text, words)) found.push_back(std::move(one));
    return found;
  }));
}

// In tests an include often stands for the fixtures that come with it.
TEST(Tidy, EveryIncludeOfTheProductIsUsed) {
  expect_none(in_the_tree("includes", [](auto& path, auto& text) {
    return is_product(path) ? dead_includes(path, text, the_tree()) : std::vector<Violation>{};
  }));
}

TEST(Tidy, IncludesPointOneWay) {
  const Layers layers(kLayers, text_of(the_tree(), kLayers));
  expect_none(layers.faults(the_tree().names.folders));
  expect_none(
      in_the_tree("layers", [&](auto& path, auto& text) { return layers.check(path, text, the_tree().names.files); }));
}

TEST(Tidy, NoErrorHidesAdviceInWhatHappened) {
  expect_none(in_the_tree("advice", [](auto& path, auto& text) {
    return is_cpp(path) && is_product(path) ? hidden_advice(path, text) : std::vector<Violation>{};
  }));
}

TEST(Tidy, RemovedWordsStayAway) {
  const std::vector<RemovedWord> words = removed_words_of(text_of(the_tree(), kRemovedWords));
  expect_none(in_the_tree("words", [&](const std::string& path, auto& text) {
    return has_examples(path) ? std::vector<Violation>{} : uses_of(path, text, words);
  }));
}

TEST(Tidy, EveryTitleOfTroubleshootingIsAMessage) {
  std::vector<Messages> said;
  for (const SourceFile& file : the_tree().files) {
    if (is_cpp(file.path) && is_product(file.path)) said.push_back(messages_of(file.path, file.text));
  }
  expect_none(in_the_tree("troubles", [&](const std::string& path, auto& text) {
    return path == kTroubles ? unsaid_titles(path, text, said) : std::vector<Violation>{};
  }));
}

}  // namespace
}  // namespace leat::tidy
