/* PEM framing; the base64 is libcrypto's. Must not skip text that it does not understand. */
#include "crypto/pem.h"
#include <openssl/evp.h>
#include <string.h>

#define BEGIN      "-----BEGIN CERTIFICATE-----"
#define END        "-----END CERTIFICATE-----"
#define CHUNK_SIZE 1024

static bool is_space(uint8_t character) {
    return character == ' ' || character == '\n' || character == '\r' || character == '\t';
}

/* Certificates are read often enough that a table pays. */
static const bool is_base64[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['+'] = true, ['/'] = true};

/* Base64 characters on their way to the decoder, which wants whole groups of four and leaves padding to us.
 */
struct chunk {
    uint8_t characters[CHUNK_SIZE];
    size_t count;
    size_t padding;
};

static bool add_character(struct chunk *chunk, uint8_t character) {
    bool is_padding = character == '=';
    if (!is_padding && (!is_base64[character] || chunk->padding > 0))
        return false;
    chunk->padding += is_padding;
    chunk->characters[chunk->count++] = character;
    return chunk->padding <= 2;
}

static enum cella_status decode_chunk(struct chunk *chunk, uint8_t *out, size_t capacity, size_t *size) {
    uint8_t bytes[CHUNK_SIZE / 4 * 3];
    if (chunk->count == 0)
        return CELLA_OK;
    size_t count = chunk->count / 4 * 3;
    if (chunk->count % 4 != 0 || EVP_DecodeBlock(bytes, chunk->characters, (int)chunk->count) != (int)count)
        return CELLA_DAMAGED;
    count -= chunk->padding;
    if (count > capacity - *size)
        return CELLA_TOO_SMALL;
    memcpy(out + *size, bytes, count);
    *size += count;
    chunk->count = 0;
    return CELLA_OK;
}

enum cella_status cella_base64_decode(struct cella_bytes text, uint8_t *out, size_t capacity,
                                      size_t *ret_size) {
    struct chunk chunk = {.count = 0};
    size_t size = 0;
    enum cella_status status = CELLA_OK;
    for (size_t at = 0; at < text.size && status == CELLA_OK; at++) {
        if (is_space(text.data[at]))
            continue;
        if (!add_character(&chunk, text.data[at]))
            return CELLA_DAMAGED;
        if (chunk.count == CHUNK_SIZE)
            status = decode_chunk(&chunk, out, capacity, &size);
    }
    if (status == CELLA_OK)
        status = decode_chunk(&chunk, out, capacity, &size);
    if (status == CELLA_OK && size == 0)
        status = CELLA_DAMAGED;
    if (status == CELLA_OK)
        *ret_size = size;
    return status;
}

static void skip(struct cella_bytes *rest, size_t size) {
    rest->data += size;
    rest->size -= size;
}

static bool starts_with(struct cella_bytes text, const char *word) {
    return text.size >= strlen(word) && memcmp(text.data, word, strlen(word)) == 0;
}

static bool only_zeros(struct cella_bytes text) {
    for (size_t at = 0; at < text.size; at++)
        if (text.data[at] != 0)
            return false;
    return true;
}

enum cella_status cella_pem_next(struct cella_bytes *rest, uint8_t ret_der[CELLA_CERTIFICATE_SIZE_MAX],
                                 size_t *ret_size) {
    struct cella_bytes left = *rest;
    while (left.size > 0 && is_space(left.data[0]))
        skip(&left, 1);
    if (only_zeros(left)) {
        skip(rest, rest->size);
        return CELLA_NOT_FOUND;
    }
    if (!starts_with(left, BEGIN))
        return CELLA_DAMAGED;
    skip(&left, strlen(BEGIN));
    struct cella_bytes body = CELLA_BYTES(left.data, 0);
    while (body.size < left.size && body.data[body.size] != '-')
        body.size++;
    skip(&left, body.size);
    if (!starts_with(left, END))
        return CELLA_DAMAGED;
    skip(&left, strlen(END));
    if (cella_base64_decode(body, ret_der, CELLA_CERTIFICATE_SIZE_MAX, ret_size) != CELLA_OK)
        return CELLA_DAMAGED;
    *rest = left;
    return CELLA_OK;
}
