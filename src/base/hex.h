/* Hexadecimal text. */
#ifndef CELLA_BASE_HEX_H
#define CELLA_BASE_HEX_H

#include <cella/status.h>
#include <stddef.h>
#include <stdint.h>

/* Writes 2 * size lower-case digits and a terminator to `out`, which has room for 2 * size + 1. */
void cella_hex_encode(const uint8_t *data, size_t size, char *out);

/* Reads exactly 2 * size digits of either case from `text` of `text_size` characters. CELLA_DAMAGED if the
 * number of digits differs or a character is none. */
enum cella_status cella_hex_decode(const char *text, size_t text_size, uint8_t *out, size_t size);

#endif
