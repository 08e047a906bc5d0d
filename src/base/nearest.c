/* Edit distance between short words (optimal string alignment). Must not allocate. */
#include "base/nearest.h"
#include <stdint.h>
#include <string.h>

enum { WORD_LIMIT = 63 };

static char lower(char c) {
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Three rolling rows of the distance table: two back, one back, this one. */
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size) {
    size_t rows[3][WORD_LIMIT + 1];
    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        const size_t *two_back = rows[(i + 1) % 3];
        const size_t *back = rows[(i + 2) % 3];
        size_t *row = rows[i % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t change = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;
            row[j] = least(least(back[j] + 1, row[j - 1] + 1), back[j - 1] + change);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = least(row[j], two_back[j - 2] + 1);
        }
    }
    return rows[a_size % 3][b_size];
}

const char *cella_nearest(const char *word, const char *const *words, size_t count) {
    size_t size = strlen(word);
    if (size == 0 || size > WORD_LIMIT)
        return NULL;
    const char *best = NULL;
    size_t best_distance = size / 3 + 1;
    for (size_t i = 0; i < count; i++) {
        size_t other_size = strlen(words[i]);
        if (other_size > WORD_LIMIT)
            continue;
        size_t found = distance(word, size, words[i], other_size);
        if (found < best_distance || (found == best_distance && best == NULL)) {
            best = words[i];
            best_distance = found;
        }
    }
    return best;
}
