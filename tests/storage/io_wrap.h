// What the recorder itself needs of the calls that are caught for it.
#pragma once

#include <sys/stat.h>

namespace leat::test {

/// As the kernel answers them.
int real_fstat(int fd, struct stat* status);
int real_stat(const char* path, struct stat* status);

}  // namespace leat::test
