#include <cstdio>
#include <cstdlib>
#include "measure.h"
using namespace leat::bench;
int main(int argc, char** argv) {
  (void)argc;
  for (auto& t : all_transports()) {
    if (argc > 1 && t->traits().name.compare(argv[1]) != 0) continue;
    for (Kind kind : {Kind::ping, Kind::paced, Kind::throughput, Kind::acknowledge_each, Kind::acknowledge_window, Kind::replay}) {
      if (argc > 3 && to_string(kind) != argv[3]) continue;
      Row row{.transport = t->traits().name, .kind = kind, .setup = {}, .chart = "x", .seconds = 1};
      row.setup.rate = 10000; if (argc > 4) row.seconds = std::atof(argv[4]); if (argc > 6) row.setup.receivers = static_cast<unsigned>(std::atoi(argv[6])); if (argc > 5) row.setup.idle = static_cast<Idle>(std::atoi(argv[5]));
      if (argc > 2) row.setup.payload_bytes = static_cast<std::size_t>(std::atoi(argv[2]));
      if (kind == Kind::ping) row.setup.idle = Idle::spin;
      if (kind == Kind::acknowledge_each || kind == Kind::acknowledge_window) { if (!t->traits().acknowledges) continue; row.setup.durable = true; }
      if (kind == Kind::replay && !t->traits().replays) continue;
      auto o = measure(*t, row, "/tmp");
      std::printf("%s\n", to_json(o).dump().c_str());
      std::fflush(stdout);
    }
  }
}
