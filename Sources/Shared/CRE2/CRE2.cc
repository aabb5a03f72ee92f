#include "CRE2.h"

#include <re2/re2.h>

#include <algorithm>
#include <new>

struct mainstay_pattern {
    re2::RE2 expression;

    mainstay_pattern(re2::StringPiece text, const re2::RE2::Options &options) : expression(text, options) {}
};

// No exception may leave for Swift: what RE2 itself never throws, an allocation may.
mainstay_pattern *mainstay_pattern_compile(
    const char *text, size_t length, int64_t most_memory, char *error, size_t error_size) {
    try {
        re2::RE2::Options options;
        options.set_log_errors(false);
        options.set_max_mem(most_memory);
        auto pattern = new mainstay_pattern(re2::StringPiece(text, length), options);
        if (pattern->expression.ok()) return pattern;
        const std::string &why = pattern->expression.error();
        size_t count = error_size == 0 ? 0 : std::min(why.size(), error_size - 1);
        std::copy_n(why.data(), count, error);
        if (error_size > 0) error[count] = 0;
        delete pattern;
    } catch (...) {
        if (error_size > 0) error[0] = 0;
    }
    return nullptr;
}

int mainstay_pattern_matches(const mainstay_pattern *pattern, const char *text, size_t length) {
    try {
        return re2::RE2::FullMatch(re2::StringPiece(text, length), pattern->expression) ? 1 : 0;
    } catch (...) {
        return 0;
    }
}

void mainstay_pattern_free(mainstay_pattern *pattern) { delete pattern; }
