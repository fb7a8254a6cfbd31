// Rule `files`: what comments, docs and lists of sabotages call a file or a folder of ours is there.
//
// A name with a slash and an ending (`broker/log.h`, `syncer.{h,cc}` behind a folder) is looked for from the top of
// the tree and from the file that names it; a bare `name.h`, `.cc`, `.md` or `.sh` anywhere in the tree. A folder
// counts where it stands in backticks (`broker/sequence`), or begins with a folder of the top (tests/torture). No
// names of ours are: <headers>, names with placeholders (`<x>`, `*`, `$x`, `@`, NAME), /absolute paths, ~/paths,
// build/..., URLs.
//
// How to read it: `docs/recovery.md:12: no file 'broker/journal/syncer.h'; there is broker/storage/syncer.h`. Mend the
// name, or put it on allowed.txt with the reason if it is no name of ours.
#pragma once

#include <string_view>
#include <vector>

#include "tests/tidy/tree.h"
#include "tests/tidy/violation.h"

namespace leat::tidy {

std::vector<Violation> missing_files(std::string_view path, std::string_view text, const TreeNames& names);

}  // namespace leat::tidy
