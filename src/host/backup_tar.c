/* Headers of tar files. Must not: accept what it does not write. */
#include "host/backup_tar.h"
#include <stdio.h>
#include <string.h>

/* Where the fields lie, and what those have that are always the same. */
enum {
    NAME = 0,
    MODE = 100,
    USER = 108,
    GROUP = 116,
    SIZE = 124,
    TIME = 136,
    SUM = 148,
    TYPE = 156,
    MAGIC = 257
};
enum { SIZE_DIGITS = 11, SUM_DIGITS = 6 };
#define OCTAL_LIMIT ((uint64_t)1 << 33)

/* Larger sizes are written in binary, as tar programs do. */
static void write_size(uint64_t size, uint8_t *out) {
    char text[SIZE_DIGITS + 1];
    if (size < OCTAL_LIMIT) {
        (void)snprintf(text, sizeof text, "%0*llo", SIZE_DIGITS, (unsigned long long)size);
        memcpy(out, text, sizeof text);
        return;
    }
    memset(out, 0, SIZE_DIGITS + 1);
    out[0] = 0x80;
    for (int i = 0; i < 8; i++)
        out[SIZE_DIGITS - i] = (uint8_t)(size >> (8 * i));
}

static uint64_t read_size(const uint8_t *in) {
    uint64_t size = 0;
    if (in[0] == 0x80)
        for (int i = 0; i < 8; i++)
            size = size << 8 | in[SIZE_DIGITS - 7 + i];
    else
        for (int i = 0; i < SIZE_DIGITS && in[i] >= '0' && in[i] <= '7'; i++)
            size = size * 8 + (uint64_t)(in[i] - '0');
    return size;
}

void cella_tar_header_write(const char *name, uint64_t size, uint8_t ret_block[CELLA_TAR_BLOCK]) {
    char text[SUM_DIGITS + 1];
    unsigned sum = 0;
    memset(ret_block, 0, CELLA_TAR_BLOCK);
    memcpy(ret_block + NAME, name, strlen(name));
    memcpy(ret_block + MODE, "0000600", 8);
    memcpy(ret_block + USER, "0000000", 8);
    memcpy(ret_block + GROUP, "0000000", 8);
    memcpy(ret_block + TIME, "00000000000", 12);
    memcpy(ret_block + MAGIC,
           "ustar\0"
           "00",
           8);
    write_size(size, ret_block + SIZE);
    ret_block[TYPE] = '0';
    memset(ret_block + SUM, ' ', 8);
    for (size_t i = 0; i < CELLA_TAR_BLOCK; i++)
        sum += ret_block[i];
    (void)snprintf(text, sizeof text, "%0*o", SUM_DIGITS, sum);
    memcpy(ret_block + SUM, text, sizeof text);
}

bool cella_tar_header_read(const uint8_t block[CELLA_TAR_BLOCK], char ret_name[CELLA_TAR_NAME_MAX],
                           uint64_t *ret_size) {
    char name[CELLA_TAR_NAME_MAX] = "";
    uint8_t again[CELLA_TAR_BLOCK];
    size_t length = strnlen((const char *)block, sizeof name);
    if (length == 0 || length == sizeof name)
        return false;
    memcpy(name, block, length);
    uint64_t size = read_size(block + SIZE);
    cella_tar_header_write(name, size, again);
    if (memcmp(block, again, sizeof again) != 0)
        return false;
    memcpy(ret_name, name, sizeof name);
    *ret_size = size;
    return true;
}

size_t cella_tar_padding(uint64_t size) {
    return (size_t)((CELLA_TAR_BLOCK - size % CELLA_TAR_BLOCK) % CELLA_TAR_BLOCK);
}
