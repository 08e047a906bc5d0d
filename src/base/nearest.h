/* The word that a mistyped one was probably meant to be, for hints in errors. */
#ifndef CELLA_BASE_NEAREST_H
#define CELLA_BASE_NEAREST_H

#include <stddef.h>

/* The one of `words` with the fewest changed, missing, extra or swapped letters (case does not count), or
 * NULL if none is near (more than a third of the letters differ). Words longer than 63 characters are near
 * nothing. */
const char *cella_nearest(const char *word, const char *const *words, size_t count);

#endif
