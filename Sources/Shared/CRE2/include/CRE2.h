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

// How many groups the pattern has, the whole match not counted.
int mainstay_pattern_group_count(const mainstay_pattern *pattern);

// Writes the name of a group, without a zero at its end. The name's length; 0 where it has none, or one longer than `size`.
size_t mainstay_pattern_group_name(const mainstay_pattern *pattern, int number, char *name, size_t size);

// Where the groups of a match of all of the text lie, the whole match first: `count` of them, -1 for one that took no part.
// 0 where the text does not match. Any thread may call it.
int mainstay_pattern_groups(
    const mainstay_pattern *pattern, const char *text, size_t length, ptrdiff_t *starts, ptrdiff_t *ends, int count);

void mainstay_pattern_free(mainstay_pattern *pattern);

#ifdef __cplusplus
}
#endif
