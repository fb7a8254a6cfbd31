// What is known of file systems by their numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "broker/storage/file_system.h"

namespace leat::broker {

/// What is known of a file system by its magic number of statfs(2); nothing of one that hides another, or is not known.
/// Sets its name in either case.
std::optional<FileSystem> known_file_system(std::uint32_t magic, std::string& name);

/// Whether rings may lie in `directory`, on the file system of that number. Rings are mapped by leatd and by all
/// clients: where room cannot be had ahead, a full disk would end each of them in the middle of a store.
/// Error: invalid_argument.
Result<void> check_file_system_of_rings(std::uint32_t magic, const std::string& directory);

}  // namespace leat::broker
