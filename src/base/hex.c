/* Hexadecimal text. */
#include "base/hex.h"

void cella_hex_encode(const uint8_t *data, size_t size, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * size] = '\0';
}

static int digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

enum cella_status cella_hex_decode(const char *text, size_t text_size, uint8_t *out, size_t size) {
    if (text_size != 2 * size)
        return CELLA_DAMAGED;
    for (size_t i = 0; i < size; i++) {
        int high = digit(text[2 * i]);
        int low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return CELLA_DAMAGED;
        out[i] = (uint8_t)(high * 16 + low);
    }
    return CELLA_OK;
}
