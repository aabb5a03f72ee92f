#include "CRE2.h"

#include <re2/re2.h>

#include <algorithm>
#include <new>
#include <vector>

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

int mainstay_pattern_group_count(const mainstay_pattern *pattern) {
    return pattern->expression.NumberOfCapturingGroups();
}

size_t mainstay_pattern_group_name(const mainstay_pattern *pattern, int number, char *name, size_t size) {
    const auto &names = pattern->expression.CapturingGroupNames();
    auto found = names.find(number);
    if (found == names.end() || found->second.size() > size) return 0;
    std::copy_n(found->second.data(), found->second.size(), name);
    return found->second.size();
}

int mainstay_pattern_groups(
    const mainstay_pattern *pattern, const char *text, size_t length, ptrdiff_t *starts, ptrdiff_t *ends, int count) {
    try {
        std::vector<re2::StringPiece> groups(count);
        re2::StringPiece whole(text, length);
        if (!pattern->expression.Match(whole, 0, length, re2::RE2::ANCHOR_BOTH, groups.data(), count)) return 0;
        for (int number = 0; number < count; number++) {
            bool is_there = groups[number].data() != nullptr;
            starts[number] = is_there ? groups[number].data() - text : -1;
            ends[number] = is_there ? starts[number] + static_cast<ptrdiff_t>(groups[number].size()) : -1;
        }
        return 1;
    } catch (...) {
        return 0;
    }
}

void mainstay_pattern_free(mainstay_pattern *pattern) { delete pattern; }
