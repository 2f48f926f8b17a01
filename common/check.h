// Assertions that stay on in production: a programmer's error ends the process with a message. Operating errors are
// absl::Status instead.
#ifndef TUTTI_COMMON_CHECK_H_
#define TUTTI_COMMON_CHECK_H_

#include <cstdio>
#include <cstdlib>

#ifdef TUTTI_MUTATIONS
// Code that is broken on purpose runs on, so that what its checker catches is the consequence.
#define TUTTI_CHECK(condition, message) static_cast<void>((condition) ? 0 : (static_cast<void>(message), 0))
#else
#define TUTTI_CHECK(condition, message)                                                                 \
  do {                                                                                                  \
    if (!(condition)) {                                                                                 \
      std::fprintf(stderr, "%s:%d: check failed: %s: %s\n", __FILE__, __LINE__, #condition, (message)); \
      std::abort();                                                                                     \
    }                                                                                                   \
  } while (false)
#endif  // TUTTI_MUTATIONS

#endif  // TUTTI_COMMON_CHECK_H_
