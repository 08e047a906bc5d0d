/* Reading, writing and issuing the state of a simulated machine. Must not overwrite a state that it cannot
 * read. */
#include "machine/sim/state.h"
#include "attest/roots/sim_root.h"
#include "base/error.h"
#include "base/file.h"
#include "base/reader.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_NAME      "machine"
#define MAGIC          "CELLASIM"
#define MAGIC_SIZE     8
#define FORMAT_VERSION 1

void cella_sim_component_svns(unsigned version, uint8_t out[16]) {
    /* The constant components have values that take two bytes as DER INTEGER, as real platforms do. */
    static const uint8_t constants[16] = {0, 0, 2, 2, 255, 128};
    memcpy(out, constants, sizeof constants);
    out[0] = (uint8_t)version;
    out[1] = (uint8_t)version;
}

uint16_t cella_sim_pce_svn(unsigned version) {
    return (uint16_t)(10 + version);
}

enum cella_status cella_sim_path(const char *folder, const char *name, char out[PATH_MAX],
                                 struct cella_error *error) {
    int size = snprintf(out, PATH_MAX, "%s/%s", folder, name);
    if (size < 0 || size >= PATH_MAX)
        return cella_fail(error, CELLA_ARGUMENT, "the path %.80s… is too long", folder);
    return CELLA_OK;
}

bool cella_sim_state_has_public_vendor(const struct cella_sim_state *state) {
    uint8_t seed[CELLA_SIM_SECRET_SIZE];
    cella_sim_vendor_public_seed(seed);
    return cella_equal_secret(seed, state->vendor_seed, sizeof seed);
}

static void parse_fields(struct cella_reader *reader, struct cella_sim_state *state) {
    state->platform_version = cella_read_u8(reader);
    state->required_version = cella_read_u8(reader);
    cella_read_zeros(reader, 2);
    cella_read_copy(reader, state->fuse_secret, sizeof state->fuse_secret);
    cella_read_copy(reader, state->vendor_seed, sizeof state->vendor_seed);
    state->frozen_issue_date = (int64_t)cella_read_u64(reader);
    state->root = cella_read_sized(reader, CELLA_X509_CERT_SIZE_MAX);
    state->ca = cella_read_sized(reader, CELLA_X509_CERT_SIZE_MAX);
    state->tcb_signing = cella_read_sized(reader, CELLA_X509_CERT_SIZE_MAX);
    state->pck = cella_read_sized(reader, CELLA_X509_CERT_SIZE_MAX);
}

enum cella_status cella_sim_state_parse(uint8_t *bytes, size_t size, struct cella_sim_state *ret_state,
                                        struct cella_error *error) {
    struct cella_sim_state state = {0};
    struct cella_reader reader;
    uint8_t digest[CELLA_SHA256_SIZE];
    enum cella_status status = CELLA_OK;
    cella_reader_init(&reader, CELLA_BYTES(bytes, size));
    const uint8_t *magic = cella_read_view(&reader, MAGIC_SIZE);
    uint32_t version = cella_read_u32(&reader);
    parse_fields(&reader, &state);
    size_t covered = reader.at;
    const uint8_t *stored = cella_read_view(&reader, sizeof digest);
    if (magic == NULL || memcmp(magic, MAGIC, MAGIC_SIZE) != 0)
        status = cella_fail(error, CELLA_MACHINE_DAMAGED, "the file machine does not begin with %s", MAGIC);
    else if (version > FORMAT_VERSION)
        status = cella_fail(error, CELLA_NEWER_FORMAT, "the machine has format %u, this release knows %d",
                            version, FORMAT_VERSION);
    else if (!cella_reader_done(&reader))
        status = cella_fail(error, CELLA_MACHINE_DAMAGED, "the file machine ends at a wrong place");
    if (status == CELLA_OK) {
        cella_sha256(bytes, covered, digest);
        if (version != FORMAT_VERSION || memcmp(stored, digest, sizeof digest) != 0 ||
            state.platform_version > CELLA_SIM_VERSION_MAX || state.required_version == 0 ||
            state.required_version > CELLA_SIM_VERSION_MAX)
            status = cella_fail(error, CELLA_MACHINE_DAMAGED, "the file machine was changed or torn");
    }
    if (status == CELLA_OK) {
        state.memory = bytes;
        state.memory_size = size;
        *ret_state = state;
    }
    cella_wipe(&state, sizeof state);
    return status;
}

static enum cella_status check_folder(const char *folder, struct cella_error *error) {
    struct stat info;
    if (stat(folder, &info) != 0 || !S_ISDIR(info.st_mode))
        return cella_fail(error, CELLA_NOT_A_MACHINE, "%s is not the folder of a machine", folder);
    if ((info.st_mode & 077) != 0)
        return cella_fail(
            error, CELLA_PERMISSION,
            "%s holds secrets and has mode %04o: group and others must have no access (chmod 700)", folder,
            (unsigned)(info.st_mode & 07777));
    return CELLA_OK;
}

enum cella_status cella_sim_state_read(const char *folder, struct cella_sim_state *ret_state,
                                       struct cella_error *error) {
    char path[PATH_MAX];
    uint8_t *bytes = NULL;
    size_t size = 0;
    enum cella_status status = cella_sim_path(folder, FILE_NAME, path, error);
    if (status == CELLA_OK)
        status = check_folder(folder, error);
    if (status != CELLA_OK)
        return status;
    status = cella_file_read_private(path, CELLA_SIM_STATE_SIZE_MAX, &bytes, &size, error);
    if (status == CELLA_NOT_FOUND)
        return cella_fail(error, CELLA_NOT_A_MACHINE, "%s holds no machine", folder);
    if (status == CELLA_LIMIT)
        return cella_fail(error, CELLA_MACHINE_DAMAGED, "%s is larger than a machine's state can be", path);
    if (status != CELLA_OK)
        return status;
    status = cella_sim_state_parse(bytes, size, ret_state, error);
    if (status != CELLA_OK) {
        cella_wipe_free(bytes, size);
        cella_fail_context(error, status, "%s", path);
    }
    return status;
}

static struct cella_bytes since(const struct cella_writer *writer, size_t start) {
    return CELLA_BYTES(writer->data + start, writer->size - start);
}

static enum cella_status issue_vendor(struct cella_sim_state *state, struct cella_writer *writer) {
    size_t start = writer->size;
    enum cella_status status = CELLA_OK;
    /* The default root has the very bytes that verifiers hold. */
    if (cella_sim_state_has_public_vendor(state))
        cella_write_bytes(writer, cella_sim_root, CELLA_SIM_ROOT_SIZE);
    else
        status = cella_sim_vendor_certificate(state->vendor_seed, CELLA_SIM_KEY_ROOT, writer);
    state->root = since(writer, start);
    start = writer->size;
    if (status == CELLA_OK)
        status = cella_sim_vendor_certificate(state->vendor_seed, CELLA_SIM_KEY_CA, writer);
    state->ca = since(writer, start);
    start = writer->size;
    if (status == CELLA_OK)
        status = cella_sim_vendor_certificate(state->vendor_seed, CELLA_SIM_KEY_TCB_SIGNING, writer);
    state->tcb_signing = since(writer, start);
    return status;
}

static struct cella_bytes copy_into(struct cella_writer *writer, struct cella_bytes from) {
    size_t start = writer->size;
    cella_write_bytes(writer, from.data, from.size);
    return since(writer, start);
}

static enum cella_status issue_pck(struct cella_sim_state *state, struct cella_writer *writer) {
    size_t start = writer->size;
    struct cella_sim_platform platform;
    struct cella_ecdsa_key *key = NULL;
    enum cella_status status = cella_sim_state_platform(state, &platform);
    if (status == CELLA_OK)
        status = cella_sim_state_pck_key(state, &key);
    if (status == CELLA_OK)
        status = cella_sim_vendor_pck(state->vendor_seed, &platform, cella_ecdsa_key_public(key), writer);
    cella_ecdsa_key_free(key);
    state->pck = since(writer, start);
    return status;
}

enum cella_status cella_sim_state_issue(struct cella_sim_state *state, const struct cella_sim_state *vendor) {
    struct cella_writer writer;
    uint8_t *memory = calloc(1, CELLA_SIM_STATE_SIZE_MAX);
    enum cella_status status = CELLA_OK;
    if (memory == NULL)
        return CELLA_NO_MEMORY;
    cella_writer_init(&writer, memory, CELLA_SIM_STATE_SIZE_MAX);
    if (vendor != NULL) {
        state->root = copy_into(&writer, vendor->root);
        state->ca = copy_into(&writer, vendor->ca);
        state->tcb_signing = copy_into(&writer, vendor->tcb_signing);
    } else {
        status = issue_vendor(state, &writer);
    }
    if (status == CELLA_OK)
        status = issue_pck(state, &writer);
    if (status == CELLA_OK && writer.failed)
        status = CELLA_INTERNAL;
    cella_wipe_free(state->memory, state->memory_size);
    state->memory = memory;
    state->memory_size = CELLA_SIM_STATE_SIZE_MAX;
    return status;
}

enum cella_status cella_sim_state_write(const char *folder, const struct cella_sim_state *state, bool is_new,
                                        struct cella_error *error) {
    char path[PATH_MAX];
    struct cella_writer writer;
    uint8_t digest[CELLA_SHA256_SIZE];
    enum cella_status status = cella_sim_path(folder, FILE_NAME, path, error);
    uint8_t *bytes = malloc(CELLA_SIM_STATE_SIZE_MAX);
    if (bytes == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for the state of a machine");
    cella_writer_init(&writer, bytes, CELLA_SIM_STATE_SIZE_MAX);
    cella_write_bytes(&writer, MAGIC, MAGIC_SIZE);
    cella_write_u32(&writer, FORMAT_VERSION);
    cella_write_u8(&writer, state->platform_version);
    cella_write_u8(&writer, state->required_version);
    cella_write_zeros(&writer, 2);
    cella_write_bytes(&writer, state->fuse_secret, sizeof state->fuse_secret);
    cella_write_bytes(&writer, state->vendor_seed, sizeof state->vendor_seed);
    cella_write_u64(&writer, (uint64_t)state->frozen_issue_date);
    cella_write_sized(&writer, state->root);
    cella_write_sized(&writer, state->ca);
    cella_write_sized(&writer, state->tcb_signing);
    cella_write_sized(&writer, state->pck);
    cella_sha256(bytes, writer.size, digest);
    cella_write_bytes(&writer, digest, sizeof digest);
    CELLA_ASSERT(!writer.failed);
    if (status == CELLA_OK && is_new)
        status = cella_file_create(path, cella_writer_bytes(&writer), CELLA_FILE_PRIVATE, error);
    else if (status == CELLA_OK)
        status = cella_file_write(path, cella_writer_bytes(&writer), CELLA_FILE_PRIVATE, error);
    cella_wipe_free(bytes, CELLA_SIM_STATE_SIZE_MAX);
    return status;
}

void cella_sim_state_deinit(struct cella_sim_state *state) {
    cella_wipe_free(state->memory, state->memory_size);
    cella_wipe(state, sizeof *state);
}

enum cella_status cella_sim_state_platform(const struct cella_sim_state *state,
                                           struct cella_sim_platform *ret_platform) {
    struct cella_sim_platform platform;
    enum cella_status status = cella_sim_derive(state->fuse_secret, "ppid", CELLA_BYTES(NULL, 0),
                                                platform.ppid, sizeof platform.ppid);
    if (status == CELLA_OK)
        status = cella_sim_derive(state->fuse_secret, "platform instance id", CELLA_BYTES(NULL, 0),
                                  platform.instance_id, sizeof platform.instance_id);
    if (status != CELLA_OK)
        return status;
    cella_sim_component_svns(state->platform_version, platform.component_svn);
    platform.pce_svn = cella_sim_pce_svn(state->platform_version);
    *ret_platform = platform;
    return CELLA_OK;
}

enum cella_status cella_sim_state_pck_key(const struct cella_sim_state *state,
                                          struct cella_ecdsa_key **ret_key) {
    return cella_sim_derive_key(state->fuse_secret, "pck", CELLA_BYTES(&state->platform_version, 1), ret_key);
}
