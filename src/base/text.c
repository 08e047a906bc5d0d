/* Making text safe to print. Must not change its length. */
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Size of the UTF-8 sequence that begins here, and its character; 0: none does. RFC 3629, so no overlong
 * forms, no surrogates. A terminating zero is no continuation byte, so nothing behind it is read. */
static size_t decode(const uint8_t *bytes, uint32_t *ret_character) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = bytes[0];
    size_t size = first < 0x80   ? 1
                  : first < 0xc0 ? 0
                  : first < 0xe0 ? 2
                  : first < 0xf0 ? 3
                  : first < 0xf8 ? 4
                                 : 0;
    uint32_t character = size == 1 ? first : first & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (bytes[i] & 0x3f);
    }
    if (size == 0 || character < least[size] || character > 0x10ffff ||
        (character >= 0xd800 && character <= 0xdfff))
        return 0;
    *ret_character = character;
    return size;
}

static bool is_between(uint32_t character, uint32_t first, uint32_t last) {
    return character >= first && character <= last;
}

static bool is_shown(uint32_t character) {
    return character >= 0x20 && !is_between(character, 0x7f, 0x9f) && character != 0x61c &&
           !is_between(character, 0x200b, 0x200f) && !is_between(character, 0x2028, 0x202e) &&
           !is_between(character, 0x2060, 0x206f) && character != 0xfeff;
}

void cella_text_clean(char *text) {
    for (size_t at = 0; text[at] != '\0';) {
        uint32_t character = 0;
        size_t size = decode((const uint8_t *)text + at, &character);
        if (size == 0 || !is_shown(character))
            memset(text + at, '?', size == 0 ? 1 : size);
        at += size == 0 ? 1 : size;
    }
}
