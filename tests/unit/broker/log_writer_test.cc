#include "broker/log_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/unit/fixtures/temp_directory.h"

namespace leat::broker {
namespace {

constexpr std::int64_t kPatience = 60'000'000'000;

std::string loss(std::uint64_t lost, const std::string& why) { return std::to_string(lost) + " lost: " + why + "\n"; }

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// A pipe under a name: whoever opens it for writing writes into what we may or may not read.
class Pipe {
 public:
  explicit Pipe(const std::filesystem::path& path) : path_(path) {
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    reader_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
  }
  ~Pipe() { close_reader(); }
  void close_reader() {
    if (reader_ >= 0) ::close(reader_);
    reader_ = -1;
  }
  std::string read_some() {
    char text[65536];
    const ssize_t got = ::read(reader_, text, sizeof text);
    return got > 0 ? std::string(text, static_cast<std::size_t>(got)) : std::string();
  }

 private:
  std::filesystem::path path_;
  int reader_ = -1;
};

TEST(LogWriter, WritesLinesInOrderAndAppends) {
  const test::TempDirectory directory;
  const auto path = directory.path() / "log";
  std::ofstream(path) << "before\n";
  auto writer = LogWriter::start(path.string(), loss);
  ASSERT_TRUE(writer.ok()) << writer.error().message;
  (*writer)->push("one\n");
  (*writer)->push("two\n");
  EXPECT_TRUE((*writer)->flush(kPatience));
  EXPECT_EQ(content(path), "before\none\ntwo\n");
}

TEST(LogWriter, NeverWaitsForAPipeThatNobodyReadsAndTellsOnceItDrainsHowManyWereLost) {
  const test::TempDirectory directory;
  Pipe pipe(directory.path() / "pipe");
  auto writer = LogWriter::start((directory.path() / "pipe").string(), loss);
  ASSERT_TRUE(writer.ok()) << writer.error().message;
  const std::string line = std::string(1023, 'x') + "\n";
  constexpr int kLines = 4000;  // 4 MB: far more than the pipe and the queue take together
  for (int i = 0; i < kLines; ++i) (*writer)->push(line);
  EXPECT_FALSE((*writer)->flush(1'000'000));
  const std::uint64_t lost = (*writer)->lost();
  EXPECT_GT(lost, 0U);
  std::string read;
  while (read.find("lost") == std::string::npos) read += pipe.read_some();
  EXPECT_NE(read.find(std::to_string(lost) + " lost: it takes them more slowly"), std::string::npos);
  EXPECT_EQ(read.find('x'), 0U);
  const std::size_t whole = static_cast<std::size_t>(std::ranges::count(read, '\n'));
  EXPECT_EQ(whole, kLines - lost + 1) << "every line that was not counted as lost came whole";
}

TEST(LogWriter, EndsWithinItsTimeBesideAPipeThatNobodyReads) {
  std::signal(SIGPIPE, SIG_IGN);  // as leatd does; the writer's thread outlives the pipe's reader here
  const test::TempDirectory directory;
  Pipe pipe(directory.path() / "pipe");
  auto writer = LogWriter::start((directory.path() / "pipe").string(), loss);
  ASSERT_TRUE(writer.ok());
  for (int i = 0; i < 200; ++i) (*writer)->push(std::string(1023, 'x') + "\n");
  writer->reset();  // returns
  SUCCEED();
}

TEST(LogWriter, GoesOnAfterAClosedPipe) {
  std::signal(SIGPIPE, SIG_IGN);
  const test::TempDirectory directory;
  Pipe pipe(directory.path() / "pipe");
  auto writer = LogWriter::start((directory.path() / "pipe").string(), loss);
  ASSERT_TRUE(writer.ok());
  pipe.close_reader();
  (*writer)->push("nobody\n");
  EXPECT_TRUE((*writer)->flush(kPatience));
  EXPECT_GE((*writer)->lost(), 1U);
}

TEST(LogWriter, TellsOfAFullDiskOnceThereIsRoomAgain) {
  const test::TempDirectory directory;
  const auto path = directory.path() / "log";
  std::filesystem::create_symlink("/dev/full", path);
  auto writer = LogWriter::start(path.string(), loss);
  ASSERT_TRUE(writer.ok()) << writer.error().message;
  (*writer)->push("one\n");
  (*writer)->push("two\n");
  EXPECT_TRUE((*writer)->flush(kPatience));
  std::filesystem::remove(path);
  (*writer)->reopen();
  (*writer)->push("three\n");
  ASSERT_TRUE((*writer)->flush(kPatience));
  writer->reset();
  const std::string text = content(path);
  EXPECT_NE(text.find("three\n"), std::string::npos);
  EXPECT_NE(text.find("lost: No space left on device\n"), std::string::npos) << text;
}

TEST(LogWriter, BeginsALineOfItsOwnAfterOneThatWasCutShort) {
  std::signal(SIGXFSZ, SIG_IGN);
  const test::TempDirectory directory;
  const auto path = directory.path() / "log";
  auto writer = LogWriter::start(path.string(), loss);
  ASSERT_TRUE(writer.ok()) << writer.error().message;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit few{.rlim_cur = 4, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &few), 0);
  (*writer)->push("half of it\n");
  const bool written = (*writer)->flush(kPatience);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(written);
  (*writer)->push("next\n");
  ASSERT_TRUE((*writer)->flush(kPatience));
  EXPECT_TRUE(content(path).starts_with("half\nnext\n")) << content(path);
}

TEST(LogWriter, OpensItsFileAnewByItsName) {
  const test::TempDirectory directory;
  const auto path = directory.path() / "log";
  auto writer = LogWriter::start(path.string(), loss);
  ASSERT_TRUE(writer.ok());
  (*writer)->push("old\n");
  ASSERT_TRUE((*writer)->flush(kPatience));
  std::filesystem::rename(path, directory.path() / "log.1");
  (*writer)->push("still old\n");
  ASSERT_TRUE((*writer)->flush(kPatience));
  (*writer)->reopen();
  while (!std::filesystem::exists(path)) ::usleep(1000);
  (*writer)->push("new\n");
  ASSERT_TRUE((*writer)->flush(kPatience));
  EXPECT_EQ(content(directory.path() / "log.1"), "old\nstill old\n");
  EXPECT_EQ(content(path), "new\n");
}

TEST(LogWriter, WritesWhatCameBeforeARotationIntoTheOldFile) {
  const test::TempDirectory directory;
  const auto path = directory.path() / "log";
  Pipe pipe(path);
  auto writer = LogWriter::start(path.string(), loss);
  ASSERT_TRUE(writer.ok()) << writer.error().message;
  const std::string line = std::string(65535, 'x') + "\n";
  for (int i = 0; i < 3; ++i) (*writer)->push(line);  // the second or third waits for a reader
  (*writer)->push("old\n");
  std::filesystem::rename(path, directory.path() / "log.1");
  (*writer)->reopen();
  (*writer)->push("new\n");
  std::string read;
  while (read.size() < 3 * line.size()) read += pipe.read_some();
  ASSERT_TRUE((*writer)->flush(kPatience));
  read += pipe.read_some();
  EXPECT_TRUE(read.ends_with("\nold\n"));
  EXPECT_EQ(content(path), "new\n");
}

TEST(LogWriter, LosesNothingHoweverMuchIsWrittenInTime) {
  const test::TempDirectory directory;
  const auto path = directory.path() / "log";
  auto writer = LogWriter::start(path.string(), loss);
  ASSERT_TRUE(writer.ok()) << writer.error().message;
  const std::string line = std::string(65535, 'x') + "\n";
  const std::size_t lines = 3 * LogWriter::kMaxBytes / line.size();
  for (std::size_t i = 0; i < lines; ++i) {
    (*writer)->push(line);
    ASSERT_TRUE((*writer)->flush(kPatience));
  }
  EXPECT_EQ((*writer)->lost(), 0U);
  EXPECT_EQ(std::filesystem::file_size(path), lines * line.size());
}

TEST(LogWriter, GoesOnInTheOldFileWhenTheNewOneCannotBeOpened) {
  const test::TempDirectory directory;
  const auto path = directory.path() / "log";
  auto writer = LogWriter::start(path.string(), loss);
  ASSERT_TRUE(writer.ok());
  std::filesystem::rename(path, directory.path() / "log.1");
  std::filesystem::create_directory(path);
  (*writer)->reopen();
  (*writer)->push("on\n");
  ASSERT_TRUE((*writer)->flush(kPatience));
  writer->reset();
  const std::string text = content(directory.path() / "log.1");
  EXPECT_NE(text.find("Is a directory"), std::string::npos) << text;
  EXPECT_NE(text.find("on\n"), std::string::npos) << text;
}

TEST(LogWriter, RefusesAFileThatItCannotWriteAndAPipeWithoutAReader) {
  const test::TempDirectory directory;
  EXPECT_FALSE(LogWriter::start(directory.path().string(), loss).ok());
  EXPECT_FALSE(LogWriter::start((directory.path() / "no" / "log").string(), loss).ok());
  ASSERT_EQ(::mkfifo((directory.path() / "pipe").c_str(), 0600), 0);
  EXPECT_FALSE(LogWriter::start((directory.path() / "pipe").string(), loss).ok());
}

}  // namespace
}  // namespace leat::broker
