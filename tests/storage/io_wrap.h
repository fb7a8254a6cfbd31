// What the recorder itself needs of the calls that are caught for it.
#pragma once

#include <sys/stat.h>

namespace leat::test {

/// fstat as the kernel answers it.
int real_fstat(int fd, struct stat* status);

}  // namespace leat::test
