/* Derivations of the simulated machine. Must not be used with a secret that protects anything real. */
#include "machine/sim/derive.h"
#include "base/secret.h"
#include "base/writer.h"
#include "crypto/hkdf.h"
#include <string.h>

#define PREFIX           "cella sim 1 "
#define CONTEXT_SIZE_MAX 512
#define INFO_SIZE_MAX    (sizeof PREFIX + 64 + CONTEXT_SIZE_MAX)

enum cella_status cella_sim_derive(const uint8_t secret[CELLA_SIM_SECRET_SIZE], const char *label,
                                   struct cella_bytes context, uint8_t *out, size_t size) {
    uint8_t info[INFO_SIZE_MAX];
    struct cella_writer writer;
    if (context.size > CONTEXT_SIZE_MAX)
        return CELLA_ARGUMENT;
    cella_writer_init(&writer, info, sizeof info);
    cella_write_bytes(&writer, PREFIX, strlen(PREFIX));
    cella_write_bytes(&writer, label, strlen(label) + 1);
    cella_write_bytes(&writer, context.data, context.size);
    if (writer.failed)
        return CELLA_ARGUMENT;
    return cella_hkdf(CELLA_BYTES(NULL, 0), CELLA_BYTES(secret, CELLA_SIM_SECRET_SIZE),
                      cella_writer_bytes(&writer), out, size);
}

enum cella_status cella_sim_derive_key(const uint8_t secret[CELLA_SIM_SECRET_SIZE], const char *label,
                                       struct cella_bytes context, struct cella_ecdsa_key **ret_key) {
    uint8_t numbers[8 * CELLA_ECDSA_PRIVATE_SIZE];
    enum cella_status status = cella_sim_derive(secret, label, context, numbers, sizeof numbers);
    /* A number is out of range about once in 2^32; eight in a row never happen. */
    if (status == CELLA_OK)
        status = CELLA_KEY_INVALID;
    for (size_t at = 0; status == CELLA_KEY_INVALID && at < sizeof numbers; at += CELLA_ECDSA_PRIVATE_SIZE)
        status = cella_ecdsa_key_import(numbers + at, ret_key);
    cella_wipe(numbers, sizeof numbers);
    return status;
}
