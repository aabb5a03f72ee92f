// RE2 (libre2-dev) for Swift, which cannot call its C++: compiled once, matched in time linear in the text.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mainstay_pattern mainstay_pattern;

// Compiles `length` bytes of UTF-8; compiling and matching use at most about `most_memory` bytes. NULL where it is no
// pattern or too large: why is then in `error`, cut to `error_size` bytes and ended by a zero.
mainstay_pattern *mainstay_pattern_compile(
    const char *text, size_t length, int64_t most_memory, char *error, size_t error_size);

// Whether the pattern matches all of the text. Any thread may call it.
int mainstay_pattern_matches(const mainstay_pattern *pattern, const char *text, size_t length);

void mainstay_pattern_free(mainstay_pattern *pattern);

#ifdef __cplusplus
}
#endif
