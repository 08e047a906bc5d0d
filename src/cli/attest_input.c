/* Options and files of the verbs attest and constraint. */
#include "cli/attest_input.h"
#include "attest/sgx/anchor.h"
#include "base/calendar.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "crypto/pem.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROOT_FILE_MAX 16384
/* Room for base64 with line ends. */
#define ATTESTATION_FILE_MAX (2 * CELLA_ATTESTATION_SIZE_MAX)

int64_t cli_now(void) {
    return (int64_t)time(NULL);
}

void cli_verification_deinit(struct cli_verification *verification) {
    for (size_t at = 0; at < verification->options.root_count; at++)
        free((void *)(uintptr_t)verification->roots[at].certificate.data);
    free(verification->attestation);
    *verification = (struct cli_verification){0};
}

static struct cella_bytes text_bytes(const char *text) {
    return CELLA_BYTES(text, strlen(text));
}

enum cella_status cli_read_constraint(const char *text, struct cli_verification *verification,
                                      struct cella_error *error) {
    enum cella_status status = cella_constraint_parse(text_bytes(text), &verification->constraint, error);
    if (status == CELLA_OK)
        verification->options.constraint = &verification->constraint;
    return status;
}

static bool read_number(const char *text, uint64_t limit, uint64_t *ret_number) {
    uint64_t number = 0;
    size_t at = 0;
    for (; text[at] >= '0' && text[at] <= '9'; at++) {
        uint64_t digit = (uint64_t)(text[at] - '0');
        if (number > (limit - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return at > 0 && text[at] == '\0';
}

static enum cella_status read_time(const char *text, int64_t *ret_seconds, struct cella_error *error) {
    uint64_t number = 0;
    if (cella_calendar_parse(text_bytes(text), ret_seconds) == CELLA_OK)
        return CELLA_OK;
    if (!read_number(text, CELLA_CALENDAR_MAX, &number))
        return cella_fail(error, CELLA_USAGE,
                          "\"%.40s\" is no time: write 2026-02-05T09:00:00Z or seconds since 1970", text);
    *ret_seconds = (int64_t)number;
    return CELLA_OK;
}

enum cella_status cli_read_at(const char *text, struct cli_verification *verification,
                              struct cella_error *error) {
    return read_time(text, &verification->options.at, error);
}

enum cella_status cli_read_nonce(const char *text, struct cli_verification *verification,
                                 struct cella_error *error) {
    if (cella_hex_decode(text, strlen(text), verification->nonce, sizeof verification->nonce) != CELLA_OK)
        return cella_fail(error, CELLA_USAGE, "a nonce is 64 hex digits");
    verification->options.nonce = verification->nonce;
    return CELLA_OK;
}

enum cella_status cli_read_floor(const char *text, struct cli_verification *verification,
                                 struct cella_error *error) {
    struct cella_verify_floors *floors = &verification->options.floors;
    const char *value = strchr(text, '=');
    size_t name_size = value == NULL ? 0 : (size_t)(value - text);
    uint64_t number = 0;
    if (name_size == 6 && memcmp(text, "issued", 6) == 0)
        return read_time(value + 1, &floors->issued, error);
    if (name_size > 0 && read_number(value + 1, UINT32_MAX, &number)) {
        if (name_size == 3 && memcmp(text, "tcb", 3) == 0)
            floors->tcb_evaluation_number = (uint32_t)number;
        else if (name_size == 8 && memcmp(text, "root-crl", 8) == 0)
            floors->root_crl_number = number;
        else if (name_size == 7 && memcmp(text, "pck-crl", 7) == 0)
            floors->pck_crl_number = number;
        else
            name_size = 0;
        if (name_size > 0)
            return CELLA_OK;
    }
    return cella_fail(error, CELLA_USAGE,
                      "\"%.40s\" is no floor: write tcb=N, root-crl=N, pck-crl=N or issued=TIME", text);
}

enum cella_status cli_read_may_miss(const char *text, struct cli_verification *verification,
                                    struct cella_error *error) {
    if (strcmp(text, "pck-crl") == 0)
        verification->options.may_miss |= CELLA_MAY_MISS_PCK_CRL;
    else if (strcmp(text, "root-crl") == 0)
        verification->options.may_miss |= CELLA_MAY_MISS_ROOT_CRL;
    else
        return cella_fail(error, CELLA_USAGE, "\"%.40s\" cannot be missing; pck-crl and root-crl can", text);
    return CELLA_OK;
}

enum cella_status cli_read_root(const char *path, bool vouched, struct cli_verification *verification,
                                struct cella_error *error) {
    uint8_t *data = NULL;
    size_t size = 0;
    size_t count = verification->options.root_count;
    if (count == CLI_ROOTS_MAX)
        return cella_fail(error, CELLA_LIMIT, "at most %d roots can be given", CLI_ROOTS_MAX);
    enum cella_status status = cella_file_read(path, ROOT_FILE_MAX, &data, &size, error);
    if (status != CELLA_OK)
        return status;
    uint8_t key[CELLA_ECDSA_PUBLIC_SIZE];
    status = cella_sgx_root_read(CELLA_BYTES(data, size), key);
    if (status != CELLA_OK) {
        free(data);
        if (status == CELLA_NO_MEMORY)
            return cella_fail(error, status, "no memory to read %s", path);
        return cella_fail(error, CELLA_CERTIFICATE_INVALID,
                          "%s is not one certificate (DER or PEM) with a P-256 key, so it is no root", path);
    }
    verification->roots[count] =
        (struct cella_verify_root){.certificate = CELLA_BYTES(data, size), .vouched = vouched};
    verification->options.roots = verification->roots;
    verification->options.root_count = count + 1;
    return CELLA_OK;
}

enum cella_status cli_read_attestation(const char *path, struct cli_verification *verification,
                                       struct cella_error *error) {
    uint8_t *data = NULL;
    size_t size = 0;
    enum cella_status status = cella_file_read(path, ATTESTATION_FILE_MAX, &data, &size, error);
    if (status != CELLA_OK)
        return status;
    free(verification->attestation);
    verification->attestation = data;
    verification->attestation_size = size;
    uint8_t *decoded = malloc(CELLA_ATTESTATION_SIZE_MAX);
    if (decoded == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory to read %s", path);
    if (cella_base64_decode(CELLA_BYTES(data, size), decoded, CELLA_ATTESTATION_SIZE_MAX, &size) !=
        CELLA_OK) {
        free(decoded);
        return CELLA_OK;
    }
    free(data);
    verification->attestation = decoded;
    verification->attestation_size = size;
    return CELLA_OK;
}
