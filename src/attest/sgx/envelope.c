/* The outer shape of the vendor's documents. It is fixed text, so it is compared, not parsed: what lies
 * between is exactly what was signed and exactly what is read later. */
#include "attest/sgx/documents.h"
#include "base/hex.h"
#include <stdio.h>
#include <string.h>

#define SIGNATURE_DIGITS 128

static bool take_end(struct cella_bytes *text, const char *end) {
    size_t size = strlen(end);
    if (text->size < size || memcmp(text->data + text->size - size, end, size) != 0)
        return false;
    text->size -= size;
    return true;
}

enum cella_status cella_sgx_envelope_parse(struct cella_bytes bytes, const char *name,
                                           struct cella_sgx_envelope *ret_envelope) {
    struct cella_sgx_envelope envelope;
    char start[32];
    int start_size = snprintf(start, sizeof start, "{\"%s\":", name);
    while (bytes.size > 0 && (bytes.data[bytes.size - 1] == '\n' || bytes.data[bytes.size - 1] == '\r' ||
                              bytes.data[bytes.size - 1] == ' '))
        bytes.size--;
    if (!take_end(&bytes, "\"}") || bytes.size < SIGNATURE_DIGITS)
        return CELLA_DAMAGED;
    bytes.size -= SIGNATURE_DIGITS;
    if (cella_hex_decode((const char *)bytes.data + bytes.size, SIGNATURE_DIGITS, envelope.signature,
                         sizeof envelope.signature) != CELLA_OK)
        return CELLA_DAMAGED;
    if (!take_end(&bytes, ",\"signature\":\"") || bytes.size < (size_t)start_size ||
        memcmp(bytes.data, start, (size_t)start_size) != 0)
        return CELLA_DAMAGED;
    envelope.signed_bytes = CELLA_BYTES(bytes.data + start_size, bytes.size - (size_t)start_size);
    *ret_envelope = envelope;
    return CELLA_OK;
}
