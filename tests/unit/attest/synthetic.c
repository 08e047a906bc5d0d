/* Makes evidence the way a vendor, a platform and a host do, with the knobs' faults in it. */
#include "unit/attest/synthetic.h"
#include "base/hex.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "crypto/x509_build.h"
#include "support/memory.h"
#include <stdio.h>
#include <string.h>

#define FROM (SYNTHETIC_NOW - 1000)
#define TO   (SYNTHETIC_NOW + 1000)

enum key_name { KEY_ROOT = 1, KEY_CA, KEY_PCK, KEY_TCB, KEY_ATTESTATION, KEY_OTHER };

static struct cella_ecdsa_key *key(enum key_name name) {
    static struct cella_ecdsa_key *keys[KEY_OTHER + 1];
    uint8_t number[CELLA_ECDSA_PRIVATE_SIZE] = {0};
    number[31] = (uint8_t)name;
    if (keys[name] == NULL)
        assert_status(cella_ecdsa_key_import(number, &keys[name]), CELLA_OK);
    return keys[name];
}

static struct cella_writer new_writer(size_t capacity) {
    struct cella_writer writer;
    cella_writer_init(&writer, test_allocate(capacity), capacity);
    return writer;
}

static struct cella_bytes finish(const struct cella_writer *writer) {
    assert_false(writer->failed);
    return test_copy(cella_writer_bytes(writer));
}

static struct cella_x509_name name_of(enum key_name name) {
    static const char *const names[] = {"", "Test Root", "Test PCK CA", "Test PCK", "Test TCB Signing"};
    return (struct cella_x509_name){names[name], "Test"};
}

#define SGX_OID "1.2.840.113741.1.13.1"

static struct cella_bytes pck_extension(const struct synthetic_knobs *knobs) {
    static const uint8_t fmspc[] = {1, 2, 3, 4, 5, 6};
    static const uint8_t zeros[16];
    struct cella_der_pair tcb[18];
    char oids[18][40];
    for (unsigned at = 0; at < 18; at++) {
        (void)snprintf(oids[at], sizeof oids[at], SGX_OID ".2.%u", at + 1);
        tcb[at] = (struct cella_der_pair){.oid = oids[at], .type = CELLA_DER_INTEGER};
    }
    tcb[0].number = knobs->component == 0 ? 5 : knobs->component;
    tcb[1].number = 255;
    tcb[16].number = 9;
    tcb[17].type = CELLA_DER_OCTETS;
    tcb[17].bytes = CELLA_BYTES(zeros, 16);
    struct cella_writer inner = new_writer(1024);
    assert_status(cella_der_pairs(tcb, 18, &inner), CELLA_OK);
    struct cella_der_pair members[] = {
        {.oid = SGX_OID ".1", .type = CELLA_DER_OCTETS, .bytes = CELLA_BYTES(zeros, 16)},
        {.oid = SGX_OID ".2", .type = CELLA_DER_LIST, .bytes = finish(&inner)},
        {.oid = SGX_OID ".3", .type = CELLA_DER_OCTETS, .bytes = CELLA_BYTES(zeros, 2)},
        {.oid = SGX_OID ".4", .type = CELLA_DER_OCTETS, .bytes = CELLA_BYTES(fmspc, 6)},
        {.oid = SGX_OID ".5", .type = CELLA_DER_ENUMERATED, .number = 0},
        {.oid = SGX_OID ".4", .type = CELLA_DER_OCTETS, .bytes = CELLA_BYTES(fmspc, 6)},
    };
    struct cella_writer outer = new_writer(2048);
    assert_status(cella_der_pairs(members, knobs->double_member ? 6 : 5, &outer), CELLA_OK);
    return finish(&outer);
}

static void serial_of(enum key_name name, uint8_t serial[CELLA_X509_SERIAL_SIZE]) {
    memset(serial, 0x11, CELLA_X509_SERIAL_SIZE);
    serial[19] = (uint8_t)name;
}

static struct cella_bytes certificate(const struct synthetic_knobs *knobs, enum key_name name,
                                      enum key_name issuer) {
    struct cella_x509_extension extension = {.oid = SGX_OID};
    struct cella_x509_template template = {.subject = name_of(name),
                                           .issuer = name_of(issuer),
                                           .not_before = FROM,
                                           .not_after = TO,
                                           .public_key = cella_ecdsa_key_public(key(name)),
                                           .path_length = -1};
    serial_of(name, template.serial);
    template.is_ca =
        name == KEY_ROOT || (name == KEY_CA && !knobs->ca_is_leaf) || (name == KEY_PCK && knobs->pck_is_ca);
    if (name == KEY_PCK && !knobs->pck_without_extension) {
        extension.value = pck_extension(knobs);
        extension.critical = false;
        template.extensions = &extension;
        template.extension_count = 1;
    }
    if (name == KEY_CA && knobs->unknown_critical) {
        extension = (struct cella_x509_extension){
            .oid = "1.2.3.4.5", .critical = true, .value = CELLA_BYTES("\x05\x00", 2)};
        template.extensions = &extension;
        template.extension_count = 1;
    }
    struct cella_writer writer = new_writer(4096);
    assert_status(cella_x509_issue(&template, key(issuer), &writer), CELLA_OK);
    return finish(&writer);
}

static struct cella_bytes crl(const struct synthetic_knobs *knobs, enum key_name issuer) {
    uint8_t revoked[3][CELLA_X509_SERIAL_SIZE];
    struct cella_x509_crl_template template = {.issuer = name_of(issuer),
                                               .number = knobs->crl_number == 0 ? 7 : knobs->crl_number,
                                               .this_update = FROM,
                                               .next_update = TO,
                                               .revoked = revoked};
    if (issuer == KEY_CA && knobs->revoke_pck)
        serial_of(KEY_PCK, revoked[template.revoked_count++]);
    if (issuer == KEY_ROOT && knobs->revoke_ca)
        serial_of(KEY_CA, revoked[template.revoked_count++]);
    if (issuer == KEY_ROOT && knobs->revoke_tcb_signing)
        serial_of(KEY_TCB, revoked[template.revoked_count++]);
    struct cella_writer writer = new_writer(4096);
    enum key_name signer = issuer == KEY_CA && knobs->foreign_crl ? KEY_ROOT : issuer;
    assert_status(cella_x509_issue_crl(&template, key(signer), &writer), CELLA_OK);
    return finish(&writer);
}

static const char *or_text(const char *text, const char *otherwise) {
    return text != NULL ? text : otherwise;
}

/* {"NAME":INNER,"signature":"…"} signed by the TCB signing key. */
static struct cella_bytes sign_document(const char *name, const char *inner) {
    uint8_t signature[64];
    char digits[129];
    size_t size = strlen(inner) + strlen(name) + 200;
    char *text = test_allocate(size);
    assert_status(cella_ecdsa_sign(key(KEY_TCB), CELLA_BYTES(inner, strlen(inner)), signature), CELLA_OK);
    cella_hex_encode(signature, sizeof signature, digits);
    int written = snprintf(text, size, "{\"%s\":%s,\"signature\":\"%s\"}", name, inner, digits);
    return test_copy(CELLA_BYTES(text, (size_t)written));
}

#define DATES "\"issueDate\":\"2023-11-14T22:00:00Z\",\"nextUpdate\":\"2023-11-14T22:25:00Z\","

static struct cella_bytes tcb_info(const struct synthetic_knobs *knobs) {
    char level[1024];
    char text[8192];
    (void)snprintf(
        level, sizeof level,
        "{\"tcb\":{\"sgxtcbcomponents\":[{\"svn\":5},{\"svn\":255},{\"svn\":0},{\"svn\":0},{\"svn\":"
        "0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{"
        "\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0}],\"pcesvn\":9},\"tcbDate\":\"2023-08-09T00:"
        "00:00Z\",\"tcbStatus\":\"%s\",\"advisoryIDs\":[\"TEST-SA-1\"]}",
        or_text(knobs->status, "UpToDate"));
    (void)snprintf(text, sizeof text,
                   "{\"id\":\"%s\",\"version\":3,%s" DATES
                   "\"fmspc\":\"%s\",\"pceId\":\"%s\",\"tcbType\":0,\"tcbEvaluationDataNumber\":%u,"
                   "\"tcbLevels\":[%s]}",
                   or_text(knobs->tcb_id, "SGX"), or_text(knobs->extra_key, ""),
                   or_text(knobs->fmspc, "010203040506"), or_text(knobs->pce_id, "0000"),
                   (unsigned)(knobs->evaluation == 0 ? 12 : knobs->evaluation),
                   or_text(knobs->levels, level));
    return sign_document("tcbInfo", text);
}

static struct cella_bytes qe_identity(const struct synthetic_knobs *knobs) {
    char text[2048];
    (void)snprintf(
        text, sizeof text,
        "{\"id\":\"%s\",\"version\":2," DATES
        "\"tcbEvaluationDataNumber\":14,\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\","
        "\"attributes\":\"11000000000000000000000000000000\",\"attributesMask\":"
        "\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":\"%064d\",\"isvprodid\":1,\"tcbLevels\":[{\"tcb\":"
        "{\"isvsvn\":3},\"tcbDate\":\"2023-08-09T00:00:00Z\",\"tcbStatus\":\"%s\"}]}",
        or_text(knobs->qe_id, "QE"), 7, or_text(knobs->qe_status, "UpToDate"));
    return sign_document("enclaveIdentity", text);
}

struct report_fields {
    uint8_t attributes;
    uint8_t enclave;
    uint8_t signer_last;
    uint16_t product;
    uint16_t version;
    const uint8_t *report_data;
};

static void write_report(struct cella_writer *writer, const struct report_fields *fields) {
    cella_write_zeros(writer, 48);
    cella_write_u8(writer, fields->attributes);
    cella_write_zeros(writer, 15);
    for (int at = 0; at < 32; at++)
        cella_write_u8(writer, fields->enclave);
    cella_write_zeros(writer, 32);
    cella_write_zeros(writer, 31);
    cella_write_u8(writer, fields->signer_last);
    cella_write_zeros(writer, 96);
    cella_write_u16(writer, fields->product);
    cella_write_u16(writer, fields->version);
    cella_write_zeros(writer, 60);
    cella_write_bytes(writer, fields->report_data, 64);
}

static void write_signed_body(struct cella_writer *writer, const struct synthetic_knobs *knobs,
                              const uint8_t report_data[64]) {
    static const uint8_t vendor[] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                     0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};
    cella_write_u16(writer, 3);
    cella_write_u16(writer, 2);
    cella_write_zeros(writer, 8);
    cella_write_bytes(writer, vendor, sizeof vendor);
    cella_write_zeros(writer, 20);
    struct report_fields body = {.attributes = knobs->debug ? 0x07 : 0x05,
                                 .enclave = 0xc0,
                                 .signer_last = 0x51,
                                 .product = 10,
                                 .version = 4,
                                 .report_data = report_data};
    write_report(writer, &body);
}

/* The quoting enclave's report and everything after it. */
static struct cella_bytes signature_data(const struct synthetic_knobs *knobs, struct cella_bytes body,
                                         struct cella_bytes chain) {
    uint8_t signature[64];
    uint8_t report_data[64] = {0};
    struct cella_sha256 hash;
    struct cella_writer writer = new_writer(16384);
    enum key_name signer = knobs->wrong_body_key ? KEY_OTHER : KEY_ATTESTATION;
    assert_status(cella_ecdsa_sign(key(signer), body, signature), CELLA_OK);
    cella_write_bytes(&writer, signature, 64);
    cella_write_bytes(&writer, cella_ecdsa_key_public(key(KEY_ATTESTATION)), 64);
    cella_sha256_init(&hash);
    cella_sha256_update(&hash, cella_ecdsa_key_public(key(knobs->loose_qe ? KEY_OTHER : KEY_ATTESTATION)),
                        64);
    cella_sha256_update(&hash, "auth", 4);
    cella_sha256_digest(&hash, report_data);
    cella_sha256_deinit(&hash);
    size_t report_at = writer.size;
    struct report_fields qe = {.attributes = knobs->qe_debug ? 0x17 : 0x15,
                               .signer_last = knobs->foreign_qe ? 0x99 : 0x07,
                               .product = knobs->qe_product == 0 ? 1 : knobs->qe_product,
                               .version = 3,
                               .report_data = report_data};
    write_report(&writer, &qe);
    assert_status(cella_ecdsa_sign(key(KEY_PCK), CELLA_BYTES(writer.data + report_at, 384), signature),
                  CELLA_OK);
    cella_write_bytes(&writer, signature, 64);
    cella_write_u16(&writer, 4);
    cella_write_bytes(&writer, "auth", 4);
    cella_write_u16(&writer, 5);
    cella_write_sized(&writer, chain);
    return finish(&writer);
}

static struct cella_bytes pem_chain(const struct cella_bytes *certificates, size_t count) {
    struct cella_writer writer = new_writer(16384);
    for (size_t at = 0; at < count; at++)
        assert_status(cella_x509_certificate_pem(certificates[at], &writer), CELLA_OK);
    return finish(&writer);
}

struct cella_statement synthetic_statement(void) {
    struct cella_statement statement = {.freshness = CELLA_FRESHNESS_NONE};
    memset(statement.session_key, 0xa1, sizeof statement.session_key);
    memset(statement.signing_key, 0xa2, sizeof statement.signing_key);
    return statement;
}

static struct cella_bytes statement_bytes(const struct synthetic_knobs *knobs) {
    struct cella_statement plain = synthetic_statement();
    uint8_t out[CELLA_STATEMENT_SIZE_MAX];
    size_t size = 0;
    assert_status(cella_statement_write(knobs->statement != NULL ? knobs->statement : &plain, out, sizeof out,
                                        &size, NULL),
                  CELLA_OK);
    return test_copy(CELLA_BYTES(out, size));
}

static struct cella_bytes quote(const struct synthetic_knobs *knobs, struct cella_bytes statement,
                                struct cella_bytes root) {
    uint8_t report_data[CELLA_REPORT_DATA_SIZE];
    const struct cella_bytes certificates[] = {certificate(knobs, KEY_PCK, KEY_CA),
                                               certificate(knobs, KEY_CA, KEY_ROOT), root};
    struct cella_writer writer = new_writer(32768);
    cella_statement_report_data(statement, knobs->nonce, report_data);
    write_signed_body(&writer, knobs, report_data);
    struct cella_bytes body = finish(&writer);
    cella_write_sized(&writer, signature_data(knobs, body, pem_chain(certificates, 3)));
    return finish(&writer);
}

struct synthetic synthetic_make(const struct synthetic_knobs *knobs) {
    struct synthetic made = {.root = certificate(knobs, KEY_ROOT, KEY_ROOT)};
    struct cella_attestation *parts = &made.parts;
    const struct cella_bytes signing[] = {certificate(knobs, KEY_TCB, KEY_ROOT), made.root};
    parts->kind = CELLA_KIND_SGX;
    parts->time = knobs->time == 0 ? SYNTHETIC_NOW : knobs->time;
    parts->nonce = knobs->nonce;
    parts->statement = statement_bytes(knobs);
    parts->evidence = quote(knobs, parts->statement, made.root);
    parts->collateral[CELLA_COLLATERAL_TCB_INFO] = tcb_info(knobs);
    parts->collateral[CELLA_COLLATERAL_QE_IDENTITY] = qe_identity(knobs);
    parts->collateral[CELLA_COLLATERAL_TCB_SIGNING_CHAIN] = pem_chain(signing, 2);
    parts->collateral[CELLA_COLLATERAL_ROOT_CRL] = crl(knobs, KEY_ROOT);
    parts->collateral[CELLA_COLLATERAL_PCK_CRL] = crl(knobs, KEY_CA);
    struct cella_writer writer = new_writer(CELLA_ATTESTATION_SIZE_MAX);
    size_t size = 0;
    assert_status(cella_attestation_write(parts, writer.data, writer.capacity, &size, NULL), CELLA_OK);
    assert_int_equal(size, cella_attestation_size(parts));
    made.bytes = test_copy(CELLA_BYTES(writer.data, size));
    return made;
}

struct cella_constraint synthetic_constraint(enum cella_level level) {
    char line[200];
    struct cella_constraint constraint;
    char digits[65];
    uint8_t hash[32];
    memset(hash, 0xc0, sizeof hash);
    cella_hex_encode(hash, sizeof hash, digits);
    int size = snprintf(line, sizeof line, "C:%s SEC:%s", digits, cella_level_name(level));
    assert_status(cella_constraint_parse(CELLA_BYTES(line, (size_t)size), &constraint, NULL), CELLA_OK);
    return constraint;
}

struct cella_verify_options synthetic_options(const struct synthetic *made) {
    static struct cella_verify_root root;
    static struct cella_constraint constraint;
    root = (struct cella_verify_root){.certificate = made->root, .vouched = true};
    constraint = synthetic_constraint(CELLA_LEVEL_SECURE);
    return (struct cella_verify_options){
        .constraint = &constraint, .at = SYNTHETIC_NOW, .roots = &root, .root_count = 1};
}
