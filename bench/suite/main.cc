// leat-bench: the bench suite. Usually run by scripts/bench, which builds it and keeps its results.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "command_line.h"
#include "machine.h"
#include "plan.h"
#include "results.h"
#include "base/program_start.h"

namespace leat::bench {
namespace {

constexpr double kQuickFloors = 0.2;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.flush();
  if (!file) throw std::runtime_error("cannot write " + path);
}

// What is measured, and how far we are: one line that is written over where somebody looks, a line each where not.
class Progress {
 public:
  explicit Progress(std::size_t steps) : steps_(steps), tty_(::isatty(STDERR_FILENO) == 1) {}
  void step(const std::string& what) {
    ++done_;
    std::fprintf(stderr, tty_ ? "\r\033[K[%zu/%zu] %s" : "[%zu/%zu] %s\n", done_, steps_, what.c_str());
    std::fflush(stderr);
  }
  ~Progress() {
    if (tty_) std::fprintf(stderr, "\r\033[K");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  std::size_t steps_;
  std::size_t done_ = 0;
  bool tty_;
};

std::string name_of(const Row& row) {
  return row.chart + ": " + row.transport + ", " + std::string(to_string(row.kind)) + ", " +
         std::to_string(row.setup.payload_bytes) + " B, " + std::to_string(row.setup.senders) + " -> " +
         std::to_string(row.setup.receivers);
}

class Run {
 public:
  explicit Run(const Options& options) : options_(options), scratch_(options.directory) {
    for (auto& transport : all_transports()) {
      const Traits traits = transport->traits();
      results_.transports.push_back({{"name", traits.name},
                                     {"note", traits.note},
                                     {"missing", transport->missing()},
                                     {"brokered", traits.brokered},
                                     {"journaled", traits.journaled}});
      transports_[traits.name] = std::move(transport);
    }
    results_.machine = describe_machine(options.directory);
    results_.machine["commit"] = options.commit;
    if (!options.instructions.empty()) results_.instructions = nlohmann::json::parse(read_file(options.instructions));
  }

  Results all() {
    const std::regex only(options_.only);
    const auto chosen = [&](std::vector<Row> rows) {
      std::erase_if(rows, [&](const Row& row) { return !std::regex_search(name_of(row), only); });
      return rows;
    };
    const std::vector<Row> pictures = chosen(picture_rows(options_.quick));
    const std::vector<Row> targets = chosen(target_rows(options_.quick));
    const unsigned rounds = options_.rounds > 0 ? options_.rounds : options_.quick ? 1 : 5;
    Progress progress(pictures.size() + targets.size() * rounds + 7);
    progress.step("floors of this machine");
    results_.floors = measure_floors(scratch_.path(), options_.quick ? kQuickFloors : 1);
    for (unsigned round = 0; round < rounds; ++round) {
      for (const Row& row : targets) measure_row(progress, row, round);
    }
    for (const Row& row : pictures) measure_row(progress, row, 0);
    specials(progress);
    compare_with_floors(results_);
    return std::move(results_);
  }

 private:
  void measure_row(Progress& progress, const Row& row, unsigned round) {
    progress.step(name_of(row));
    Outcome outcome = measure(*transports_.at(row.transport), row, scratch_.path());
    outcome.round = round;
    results_.rows.push_back(std::move(outcome));
  }

  template <typename Measure>
  void special(Progress& progress, const char* what, Measure measure) {
    progress.step(what);
    if (!std::regex_search(what, std::regex(options_.only))) return;
    try {
      measure();
    } catch (const std::exception& error) {
      results_.failures.push_back(std::string(what) + ": " + error.what());
    }
  }

  void specials(Progress& progress) {
    special(progress, "publish in the producer", [&] { results_.publish_cost_ns = publish_cost_ns(scratch_.path()); });
    special(progress, "sequencer alone", [&] {
      results_.sequencer_alone_ns = sequencer_alone_ns(1);
      results_.sequencer_alone_batch_ns = sequencer_alone_ns(64);
    });
    special(progress, "idle broker", [&] { results_.idle = idle_broker(scratch_.path(), options_.quick ? 2 : 10); });
    special(progress, "latency beside a cache line",
            [&] { results_.latency = latency_beside_cache_line(scratch_.path(), options_.quick ? 20 : 200); });
    special(progress, "durable publish beside fdatasync",
            [&] { results_.durable = durable_beside_fdatasync(scratch_.path(), options_.quick ? 1000 : 5000); });
    special(progress, "start on a large journal", [&] {
      const std::uint64_t usual = options_.quick ? internal::kGigabyte / 2 : 10 * internal::kGigabyte;
      const std::uint64_t bytes = options_.journal_bytes > 0 ? options_.journal_bytes : usual;
      results_.starts.push_back(start_on_journal(scratch_.path(), 0));
      results_.starts.push_back(start_on_journal(scratch_.path(), bytes));
    });
  }

  const Options& options_;
  Scratch scratch_;
  std::map<std::string, std::unique_ptr<Transport>> transports_;
  Results results_;
};

void show(const Options& options, const nlohmann::json& run) {
  if (!options.html_path.empty()) write_file(options.html_path, to_html(run, read_file(options.template_path)));
  std::cout << to_text(run);
}

int run_main(const Options& options) {
  if (!options.show.empty()) {
    show(options, nlohmann::json::parse(read_file(options.show)));
    return 0;
  }
  const nlohmann::json run = to_json(Run(options).all());
  if (!options.json_path.empty()) write_file(options.json_path, run.dump(1) + "\n");
  show(options, run);
  return 0;
}

}  // namespace
}  // namespace leat::bench

int main(int argc, char** argv) {
  using namespace leat::bench;
  leat::internal::prepare_program();
  Options options;
  leat::cmdline::Command app(
      "Measures Leat end to end beside its peers and the machine's floors, all with the same work.");
  declare_options(app, options);
  try {
    leat::cmdline::parse(app, argc, argv);
  } catch (const leat::cmdline::ParseError& error) {
    return app.exit(error);
  }
  try {
    return run_main(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "leat-bench: %s\n", error.what());
    return 1;
  }
}
