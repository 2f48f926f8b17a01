// The log level of a process that runs: a word in a file of its data folder.
#ifndef TUTTI_COMMON_LOG_LEVEL_FILE_H_
#define TUTTI_COMMON_LOG_LEVEL_FILE_H_

#include <string>

#include "common/logging.h"

namespace tutti {

// Sets the level that `folder`/log-level holds (debug, info, warning or error), or `standard` when there is no such
// file. A change is told in the log; so is a file that holds anything else, and then the level stays as it is. Called
// at the start and on SIGHUP.
void ReadLogLevel(const std::string& folder, LogLevel standard);

}  // namespace tutti

#endif  // TUTTI_COMMON_LOG_LEVEL_FILE_H_
