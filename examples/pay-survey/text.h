/* Bounded text writer: into the caller's buffer, sticky overflow, always terminated. */
#ifndef PAY_SURVEY_TEXT_H
#define PAY_SURVEY_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Borrows the buffer; owns nothing. `size` is what was written, without the terminator. */
struct survey_text {
    char *data;
    size_t capacity;
    size_t size;
    bool failed;
};

/* `capacity` counts the terminator and is at least 1. */
void survey_text_init(struct survey_text *text, char *buffer, size_t capacity);

/* Appends as printf does. If it does not fit whole, nothing is appended, now or later, and `failed` stays. */
void survey_text_add(struct survey_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
