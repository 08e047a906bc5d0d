/* Bounded text writer. */
#include "text.h"
#include <stdarg.h>
#include <stdio.h>

void survey_text_init(struct survey_text *text, char *buffer, size_t capacity) {
    *text = (struct survey_text){.data = buffer, .capacity = capacity};
    buffer[0] = '\0';
}

void survey_text_add(struct survey_text *text, const char *format, ...) {
    if (text->failed)
        return;
    size_t room = text->capacity - text->size;
    va_list arguments;
    va_start(arguments, format);
    int needed = vsnprintf(text->data + text->size, room, format, arguments);
    va_end(arguments);
    if (needed < 0 || (size_t)needed >= room) {
        text->data[text->size] = '\0';
        text->failed = true;
        return;
    }
    text->size += (size_t)needed;
}
