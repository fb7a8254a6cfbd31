#include "tests/storage/disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>
#include <stdexcept>

#include "tests/storage/io_wrap.h"

namespace leat::test {

namespace {

ino_t inode_of(int fd) {
  struct stat status {};
  return real_fstat(fd, &status) == 0 ? status.st_ino : 0;
}

std::string sector_of(const std::string& bytes, std::size_t sector) {
  const std::size_t from = sector * kSectorBytes;
  std::string found = from < bytes.size() ? bytes.substr(from, kSectorBytes) : std::string();
  found.resize(kSectorBytes, '\0');
  return found;
}

}  // namespace

Disk* Disk::recording_ = nullptr;

Disk::Disk(std::filesystem::path directory) : directory_(std::move(directory)) {
  struct stat status {};
  if (real_stat(directory_.c_str(), &status) != 0) throw std::runtime_error("no directory " + directory_.string());
  directory_inode_ = status.st_ino;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || name == "lock") continue;
    const int fd = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    const ino_t inode = inode_of(fd);
    take(inode, fd, true);
    names_[name] = durable_names_[name] = inode;
  }
  recording_ = this;
}

Disk::~Disk() {
  recording_ = nullptr;
  for (const auto& [inode, fd] : descriptors_) ::close(fd);
}

bool Disk::is_directory(int fd) const { return directory_inode_ == inode_of(fd); }
bool Disk::holds(int fd) const { return files_.contains(inode_of(fd)); }

void Disk::take(ino_t inode, int fd, bool durable) {
  descriptors_[inode] = fd;
  File& file = files_[inode];
  observe(file, fd);
  if (!durable) return;
  file.durable = file.current;
  file.sizes.clear();
  file.sectors.clear();
}

void Disk::observe(File& file, int fd) {
  struct stat status {};
  if (real_fstat(fd, &status) != 0) throw std::runtime_error("fstat");
  const auto size = static_cast<std::size_t>(status.st_size);
  scratch_.resize(size);
  if (::pread(fd, scratch_.data(), size, 0) != static_cast<ssize_t>(size)) throw std::runtime_error("pread");
  if (scratch_ == file.current) return;
  if (size != file.current.size()) file.sizes.push_back(size);
  const std::size_t sectors = (size + kSectorBytes - 1) / kSectorBytes;
  for (std::size_t sector = 0; sector < sectors; ++sector) {
    const std::string now = sector_of(scratch_, sector);
    if (now == sector_of(file.current, sector)) continue;
    file.sectors[sector].push_back(now);
    ++stored_sectors_;
  }
  file.current = scratch_;
}

void Disk::observe() {
  for (auto& [inode, file] : files_) observe(file, descriptors_.at(inode));
}

void Disk::before_call() { observe(); }

void Disk::after_call() {
  ++calls_;
  observe();
  if (moment) moment();
}

void Disk::opened(int fd, const std::string& name) {
  const ino_t inode = inode_of(fd);
  if (!files_.contains(inode)) {
    take(inode, ::open((directory_ / name).c_str(), O_RDONLY | O_CLOEXEC), false);
    changes_.push_back({.file = inode, .from = "", .to = name});
    names_[name] = inode;
  }
  after_call();
}

void Disk::linked(const std::string& from, const std::string& to) {
  names_[to] = names_.at(from);
  changes_.push_back({.file = names_.at(from), .from = "", .to = to});
  after_call();
}

void Disk::renamed(const std::string& from, const std::string& to) {
  const ino_t inode = names_.at(from);
  names_.erase(from);
  names_[to] = inode;
  changes_.push_back({.file = inode, .from = from, .to = to});
  after_call();
}

void Disk::unlinked(const std::string& name) {
  const auto found = names_.find(name);
  if (found == names_.end()) return;
  changes_.push_back({.file = found->second, .from = name, .to = ""});
  names_.erase(found);
  after_call();
}

void Disk::before_sync() {
  observe();
  if (moment) moment();
}

void Disk::synced(int fd) {
  if (is_directory(fd)) {
    durable_names_ = names_;
    changes_.clear();
    forget_unnamed();
  } else {
    File& file = files_.at(inode_of(fd));
    file.durable = file.current;
    file.sizes.clear();
    file.sectors.clear();
  }
  after_call();
}

// Without a name, and with no change left that could bring one back.
void Disk::forget_unnamed() {
  std::set<ino_t> named;
  for (const auto& [name, inode] : names_) named.insert(inode);
  std::erase_if(files_, [&](const auto& file) {
    if (named.contains(file.first)) return false;
    ::close(descriptors_.at(file.first));
    descriptors_.erase(file.first);
    return true;
  });
}

void materialize(const Image& image, const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (!image.contains(entry.path().filename().string())) std::filesystem::remove(entry.path());
  }
  for (const auto& [name, bytes] : image) {
    const int fd = ::open((directory / name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const bool done = fd >= 0 && ::ftruncate(fd, static_cast<off_t>(bytes.size())) == 0 &&
                      ::pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
    if (fd >= 0) ::close(fd);
    if (!done) throw std::runtime_error("cannot write " + (directory / name).string());
  }
}

}  // namespace leat::test
