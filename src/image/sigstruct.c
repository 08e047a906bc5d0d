/* SIGSTRUCT: layout, signing, verifying. Must not accept anything that EINIT would refuse. */
#include "image/sigstruct.h"
#include "base/calendar.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include <string.h>

/* Names and values of the SDM. */
static const uint8_t header[16] = {0x06, 0, 0, 0, 0xe1, 0, 0, 0, 0, 0, 0x01, 0, 0, 0, 0, 0};
static const uint8_t header2[16] = {0x01, 0x01, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 0x01, 0, 0, 0};

enum {
    OFFSET_MODULUS = 128,
    OFFSET_MISCSELECT = 900,
    OFFSET_SECOND_END = 1028,
};

static bool is_date(uint32_t date) {
    for (uint32_t rest = date; rest != 0; rest >>= 4)
        if ((rest & 15) > 9)
            return false;
    uint32_t month = (date >> 12 & 15) * 10 + (date >> 8 & 15);
    uint32_t day = (date >> 4 & 15) * 10 + (date & 15);
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static bool is_zero(const void *data, size_t size) {
    const uint8_t *bytes = data;
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++)
        any = (uint8_t)(any | bytes[i]);
    return any == 0;
}

static void read_attributes(struct cella_reader *reader, struct cella_attributes *attributes) {
    attributes->flags = cella_read_u64(reader);
    attributes->xfrm = cella_read_u64(reader);
}

/* Returns the exponent. */
static uint32_t read_fields(struct cella_reader *reader, struct cella_sigstruct *sigstruct) {
    cella_read_zeros(reader, 84);
    cella_read_copy(reader, sigstruct->modulus, CELLA_RSA_SIZE);
    uint32_t exponent = cella_read_u32(reader);
    cella_read_copy(reader, sigstruct->signature, CELLA_RSA_SIZE);
    sigstruct->misc_select = cella_read_u32(reader);
    sigstruct->misc_mask = cella_read_u32(reader);
    cella_read_zeros(reader, 4); /* CET_ATTRIBUTES and its mask, reserved */
    cella_read_copy(reader, sigstruct->isv_family_id, sizeof sigstruct->isv_family_id);
    read_attributes(reader, &sigstruct->attributes);
    read_attributes(reader, &sigstruct->attribute_mask);
    cella_read_copy(reader, sigstruct->enclave_hash, sizeof sigstruct->enclave_hash);
    cella_read_zeros(reader, 16);
    cella_read_copy(reader, sigstruct->isv_ext_prod_id, sizeof sigstruct->isv_ext_prod_id);
    sigstruct->isv_prod_id = cella_read_u16(reader);
    sigstruct->isv_svn = cella_read_u16(reader);
    cella_read_zeros(reader, 12);
    cella_read_copy(reader, sigstruct->q1, CELLA_RSA_SIZE);
    cella_read_copy(reader, sigstruct->q2, CELLA_RSA_SIZE);
    return exponent;
}

enum cella_status cella_sigstruct_read(struct cella_bytes bytes, struct cella_sigstruct *ret_sigstruct,
                                       struct cella_error *error) {
    struct cella_sigstruct sigstruct = {0};
    struct cella_reader reader;
    cella_reader_init(&reader, bytes);
    const uint8_t *first = cella_read_view(&reader, sizeof header);
    uint32_t vendor = cella_read_u32(&reader);
    sigstruct.date = cella_read_u32(&reader);
    const uint8_t *second = cella_read_view(&reader, sizeof header2);
    sigstruct.sw_defined = cella_read_u32(&reader);
    uint32_t exponent = read_fields(&reader, &sigstruct);
    if (bytes.size != CELLA_SIGSTRUCT_SIZE)
        return cella_fail(error, CELLA_DAMAGED, "SIGSTRUCT has %zu bytes instead of %d", bytes.size,
                          CELLA_SIGSTRUCT_SIZE);
    if (!cella_reader_done(&reader))
        return cella_fail(error, CELLA_DAMAGED, "a reserved field of SIGSTRUCT is not zero");
    if (memcmp(first, header, sizeof header) != 0 || memcmp(second, header2, sizeof header2) != 0)
        return cella_fail(error, CELLA_DAMAGED, "the headers of SIGSTRUCT are wrong");
    /* VENDOR 0x8086 would claim to be an enclave of the CPU's vendor. */
    if (vendor != 0)
        return cella_fail(error, CELLA_DAMAGED, "VENDOR of SIGSTRUCT is 0x%x instead of 0", (unsigned)vendor);
    if (!is_date(sigstruct.date))
        return cella_fail(error, CELLA_DAMAGED, "DATE of SIGSTRUCT, %08x, is no date",
                          (unsigned)sigstruct.date);
    bool is_empty = exponent == 0 && is_zero(sigstruct.modulus, CELLA_RSA_SIZE) &&
                    is_zero(sigstruct.signature, CELLA_RSA_SIZE) && is_zero(sigstruct.q1, CELLA_RSA_SIZE) &&
                    is_zero(sigstruct.q2, CELLA_RSA_SIZE);
    if (!is_empty && exponent != CELLA_RSA_EXPONENT)
        return cella_fail(error, CELLA_DAMAGED, "EXPONENT of SIGSTRUCT is %u instead of %d",
                          (unsigned)exponent, CELLA_RSA_EXPONENT);
    sigstruct.is_signed = !is_empty;
    *ret_sigstruct = sigstruct;
    return CELLA_OK;
}

static void write_attributes(struct cella_writer *writer, const struct cella_attributes *attributes) {
    cella_write_u64(writer, attributes->flags);
    cella_write_u64(writer, attributes->xfrm);
}

void cella_sigstruct_write(const struct cella_sigstruct *sigstruct, uint8_t out[CELLA_SIGSTRUCT_SIZE]) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, CELLA_SIGSTRUCT_SIZE);
    cella_write_bytes(&writer, header, sizeof header);
    cella_write_u32(&writer, 0); /* VENDOR */
    cella_write_u32(&writer, sigstruct->date);
    cella_write_bytes(&writer, header2, sizeof header2);
    cella_write_u32(&writer, sigstruct->sw_defined);
    cella_write_zeros(&writer, 84);
    cella_write_bytes(&writer, sigstruct->modulus, CELLA_RSA_SIZE);
    cella_write_u32(&writer, sigstruct->is_signed ? CELLA_RSA_EXPONENT : 0);
    cella_write_bytes(&writer, sigstruct->signature, CELLA_RSA_SIZE);
    cella_write_u32(&writer, sigstruct->misc_select);
    cella_write_u32(&writer, sigstruct->misc_mask);
    cella_write_zeros(&writer, 4);
    cella_write_bytes(&writer, sigstruct->isv_family_id, sizeof sigstruct->isv_family_id);
    write_attributes(&writer, &sigstruct->attributes);
    write_attributes(&writer, &sigstruct->attribute_mask);
    cella_write_bytes(&writer, sigstruct->enclave_hash, sizeof sigstruct->enclave_hash);
    cella_write_zeros(&writer, 16);
    cella_write_bytes(&writer, sigstruct->isv_ext_prod_id, sizeof sigstruct->isv_ext_prod_id);
    cella_write_u16(&writer, sigstruct->isv_prod_id);
    cella_write_u16(&writer, sigstruct->isv_svn);
    cella_write_zeros(&writer, 12);
    cella_write_bytes(&writer, sigstruct->q1, CELLA_RSA_SIZE);
    cella_write_bytes(&writer, sigstruct->q2, CELLA_RSA_SIZE);
    CELLA_ASSERT(!writer.failed && writer.size == CELLA_SIGSTRUCT_SIZE);
}

void cella_sigstruct_signed_bytes(const struct cella_sigstruct *sigstruct,
                                  uint8_t out[CELLA_SIGSTRUCT_SIGNED_SIZE]) {
    uint8_t whole[CELLA_SIGSTRUCT_SIZE];
    cella_sigstruct_write(sigstruct, whole);
    memcpy(out, whole, OFFSET_MODULUS);
    memcpy(out + OFFSET_MODULUS, whole + OFFSET_MISCSELECT, OFFSET_SECOND_END - OFFSET_MISCSELECT);
}

static void reverse(const uint8_t in[CELLA_RSA_SIZE], uint8_t out[CELLA_RSA_SIZE]) {
    for (size_t i = 0; i < CELLA_RSA_SIZE; i++)
        out[i] = in[CELLA_RSA_SIZE - 1 - i];
}

enum cella_status cella_sigstruct_set_signature(struct cella_sigstruct *sigstruct,
                                                const struct cella_rsa *public_key,
                                                const uint8_t signature[CELLA_RSA_SIZE],
                                                struct cella_error *error) {
    uint8_t message[CELLA_SIGSTRUCT_SIGNED_SIZE];
    cella_sigstruct_signed_bytes(sigstruct, message);
    if (cella_rsa_verify(public_key, CELLA_BYTES(message, sizeof message), signature) != CELLA_OK)
        return cella_fail(error, CELLA_IMAGE_SIGNATURE,
                          "the signature is not one of this image by this key (384 bytes, RSASSA-PKCS1-v1_5 "
                          "with SHA-256)");
    struct cella_sigstruct result = *sigstruct;
    cella_rsa_modulus(public_key, result.modulus);
    reverse(signature, result.signature);
    enum cella_status status = cella_rsa_quotients(result.signature, result.modulus, result.q1, result.q2);
    if (status != CELLA_OK)
        return cella_fail(error, status, "Q1 and Q2 of the signature cannot be computed");
    result.is_signed = true;
    *sigstruct = result;
    return CELLA_OK;
}

enum cella_status cella_sigstruct_sign(struct cella_sigstruct *sigstruct, const struct cella_rsa *key,
                                       struct cella_error *error) {
    uint8_t message[CELLA_SIGSTRUCT_SIGNED_SIZE];
    uint8_t signature[CELLA_RSA_SIZE];
    if (!cella_rsa_is_private(key))
        return cella_fail(error, CELLA_SIGNING_KEY, "this is a public key, signing needs the private one");
    cella_sigstruct_signed_bytes(sigstruct, message);
    enum cella_status status = cella_rsa_sign(key, CELLA_BYTES(message, sizeof message), signature);
    if (status != CELLA_OK)
        return cella_fail(error, status, "the image could not be signed");
    return cella_sigstruct_set_signature(sigstruct, key, signature, error);
}

enum cella_status cella_sigstruct_verify(const struct cella_sigstruct *sigstruct, struct cella_error *error) {
    if (!sigstruct->is_signed)
        return cella_fail(error, CELLA_IMAGE_UNSIGNED, "the image is not signed");
    uint8_t message[CELLA_SIGSTRUCT_SIGNED_SIZE];
    uint8_t signature[CELLA_RSA_SIZE];
    uint8_t q1[CELLA_RSA_SIZE];
    uint8_t q2[CELLA_RSA_SIZE];
    struct cella_rsa *key = NULL;
    if (cella_rsa_from_modulus(sigstruct->modulus, &key) != CELLA_OK)
        return cella_fail(error, CELLA_IMAGE_SIGNATURE, "MODULUS of SIGSTRUCT is no RSA-3072 modulus");
    cella_sigstruct_signed_bytes(sigstruct, message);
    reverse(sigstruct->signature, signature);
    enum cella_status status = cella_rsa_verify(key, CELLA_BYTES(message, sizeof message), signature);
    cella_rsa_free(key);
    if (status != CELLA_OK)
        return cella_fail(error, CELLA_IMAGE_SIGNATURE, "the signature does not fit what it signs");
    if (cella_rsa_quotients(sigstruct->signature, sigstruct->modulus, q1, q2) != CELLA_OK ||
        memcmp(q1, sigstruct->q1, sizeof q1) != 0 || memcmp(q2, sigstruct->q2, sizeof q2) != 0)
        return cella_fail(error, CELLA_IMAGE_SIGNATURE, "Q1 or Q2 of SIGSTRUCT does not fit the signature");
    return CELLA_OK;
}

void cella_sigstruct_code_signer(const struct cella_sigstruct *sigstruct, uint8_t out[CELLA_SHA256_SIZE]) {
    if (sigstruct->is_signed)
        cella_sha256(sigstruct->modulus, CELLA_RSA_SIZE, out);
    else
        memset(out, 0, CELLA_SHA256_SIZE);
}

enum cella_status cella_sigstruct_date(uint64_t seconds, uint32_t *ret_date) {
    if (seconds > (uint64_t)CELLA_CALENDAR_MAX)
        return CELLA_ARGUMENT;
    struct cella_date date = cella_calendar_from_seconds((int64_t)seconds);
    uint32_t decimal = (uint32_t)(date.year * 10000 + date.month * 100 + date.day);
    uint32_t bcd = 0;
    for (unsigned shift = 0; decimal != 0; shift += 4, decimal /= 10)
        bcd |= decimal % 10 << shift;
    *ret_date = bcd;
    return CELLA_OK;
}
