#include "broker/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <memory>

namespace leat::broker {

Result<void> set_up_log(const Options& options) {
  try {
    std::shared_ptr<spdlog::logger> logger;
    if (options.log_file.empty()) {
      logger = spdlog::stderr_color_mt("leatd");
    } else {
      logger = spdlog::basic_logger_mt("leatd", options.log_file);
    }
    logger->set_level(spdlog::level::from_str(options.log_level));
    logger->flush_on(spdlog::level::info);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%f leatd[%P] [%^%l%$] %v");
    spdlog::set_default_logger(logger);
  } catch (const spdlog::spdlog_ex& error) {
    return Error{ErrorCode::io_error, "cannot open the log " + options.log_file + ": " + error.what()};
  }
  return {};
}

}  // namespace leat::broker
