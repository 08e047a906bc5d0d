/* Monotonic counters: one small file each, replaced atomically and flushed before a value is returned. Must
 * not start again from zero because something is missing. */
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/reader.h"
#include "base/secret.h"
#include "machine/sim/sim.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNTERS         "counters"
#define ID_SIZE          32
#define ID_TEXT_SIZE     (2 * ID_SIZE + 1)
#define MAGIC            "CELLACTR"
#define MAGIC_SIZE       8
#define FORMAT_VERSION   1
#define CHECK_SIZE       16
#define FILE_SIZE        (MAGIC_SIZE + 4 + 4 + 8 + CHECK_SIZE)
#define OWNER_COUNTERS   64
#define MACHINE_OWNERS   1024
#define FILES_PER_FOLDER 65536 /* more than any folder here can hold: something is wrong */

/* Where one counter lives. */
struct place {
    uint8_t id[ID_SIZE];
    char folder[PATH_MAX]; /* of all counters */
    char owner[PATH_MAX];  /* of this owner's */
    char file[PATH_MAX];
};

/* Names depend on the fuse secret: another CPU in the same folder finds none of them. */
static enum cella_status find_place(const struct cella_sim *sim,
                                    const struct cella_machine_identity *identity, const uint8_t *name,
                                    struct place *ret_place, struct cella_error *error) {
    uint8_t owner[ID_SIZE];
    uint8_t context[ID_SIZE + CELLA_COUNTER_NAME_SIZE];
    char owner_text[ID_TEXT_SIZE], text[ID_TEXT_SIZE];
    struct cella_writer writer;
    cella_writer_init(&writer, context, sizeof context);
    cella_write_bytes(&writer, identity->code_signer, sizeof identity->code_signer);
    cella_write_u16(&writer, identity->isv_prod_id);
    cella_write_u8(&writer, (identity->flags & CELLA_ATTRIBUTE_DEBUG) != 0);
    enum cella_status status = cella_sim_derive(sim->state.fuse_secret, "counter owner",
                                                cella_writer_bytes(&writer), owner, sizeof owner);
    memcpy(context, owner, sizeof owner);
    memcpy(context + sizeof owner, name, CELLA_COUNTER_NAME_SIZE);
    if (status == CELLA_OK)
        status = cella_sim_derive(sim->state.fuse_secret, "counter", CELLA_BYTES(context, sizeof context),
                                  ret_place->id, sizeof ret_place->id);
    if (status != CELLA_OK)
        return status;
    cella_hex_encode(owner, sizeof owner, owner_text);
    cella_hex_encode(ret_place->id, sizeof ret_place->id, text);
    status = cella_sim_path(sim->folder, COUNTERS, ret_place->folder, error);
    if (status == CELLA_OK)
        status = cella_sim_path(ret_place->folder, owner_text, ret_place->owner, error);
    if (status == CELLA_OK)
        status = cella_sim_path(ret_place->owner, text, ret_place->file, error);
    return status;
}

/* Binds a value to its counter and CPU, so that a file that was copied over another one is seen. */
static enum cella_status compute_check(const struct cella_sim *sim, const struct place *place, uint64_t value,
                                       uint8_t out[CHECK_SIZE]) {
    uint8_t context[ID_SIZE + 8];
    struct cella_writer writer;
    cella_writer_init(&writer, context, sizeof context);
    cella_write_bytes(&writer, place->id, sizeof place->id);
    cella_write_u64(&writer, value);
    return cella_sim_derive(sim->state.fuse_secret, "counter check", cella_writer_bytes(&writer), out,
                            CHECK_SIZE);
}

static enum cella_status encode(const struct cella_sim *sim, const struct place *place, uint64_t value,
                                uint8_t out[FILE_SIZE]) {
    struct cella_writer writer;
    uint8_t check[CHECK_SIZE];
    enum cella_status status = compute_check(sim, place, value, check);
    if (status != CELLA_OK)
        return status;
    cella_writer_init(&writer, out, FILE_SIZE);
    cella_write_bytes(&writer, MAGIC, MAGIC_SIZE);
    cella_write_u32(&writer, FORMAT_VERSION);
    cella_write_u32(&writer, 0);
    cella_write_u64(&writer, value);
    cella_write_bytes(&writer, check, sizeof check);
    CELLA_ASSERT(!writer.failed && writer.size == FILE_SIZE);
    return CELLA_OK;
}

static enum cella_status decode(const struct cella_sim *sim, const struct place *place,
                                struct cella_bytes bytes, uint64_t *ret_value, struct cella_error *error) {
    struct cella_reader reader;
    uint8_t check[CHECK_SIZE];
    cella_reader_init(&reader, bytes);
    const uint8_t *magic = cella_read_view(&reader, MAGIC_SIZE);
    uint32_t version = cella_read_u32(&reader);
    cella_read_zeros(&reader, 4);
    uint64_t value = cella_read_u64(&reader);
    const uint8_t *stored = cella_read_view(&reader, CHECK_SIZE);
    enum cella_status status = compute_check(sim, place, value, check);
    if (status != CELLA_OK)
        return status;
    if (!cella_reader_done(&reader) || memcmp(magic, MAGIC, MAGIC_SIZE) != 0 || version != FORMAT_VERSION ||
        !cella_equal_secret(stored, check, sizeof check))
        return cella_fail(error, CELLA_MACHINE_DAMAGED, "the counter file %s was changed or torn",
                          place->file);
    *ret_value = value;
    return CELLA_OK;
}

static enum cella_status read_value(const struct cella_sim *sim, const struct place *place,
                                    uint64_t *ret_value, struct cella_error *error) {
    uint8_t *data = NULL;
    size_t size = 0;
    enum cella_status status = cella_file_read_private(place->file, FILE_SIZE, &data, &size, error);
    if (status == CELLA_NOT_FOUND && access(place->folder, F_OK) != 0)
        return cella_fail(error, CELLA_MACHINE_DAMAGED, "the folder %s is missing", place->folder);
    if (status == CELLA_NOT_FOUND)
        return cella_fail(error, CELLA_NO_COUNTER, "the machine has no such counter for this enclave");
    if (status == CELLA_LIMIT)
        return cella_fail(error, CELLA_MACHINE_DAMAGED, "the counter file %s has a wrong size", place->file);
    if (status != CELLA_OK)
        return status;
    status = decode(sim, place, CELLA_BYTES(data, size), ret_value, error);
    free(data);
    return status;
}

/* Counts entries with the name of a counter or owner. With `clean`, removes what an interrupted write left:
 * only under the lock of that folder. */
static enum cella_status count_entries(const char *folder, bool clean, size_t *ret_count,
                                       struct cella_error *error) {
    size_t count = 0;
    char path[PATH_MAX];
    DIR *stream = opendir(folder);
    if (stream == NULL)
        return cella_fail(error, CELLA_IO, "cannot read %s: %s", folder, strerror(errno));
    for (size_t i = 0; i < FILES_PER_FOLDER; i++) {
        const struct dirent *entry = readdir(stream);
        if (entry == NULL)
            break;
        size_t size = strlen(entry->d_name);
        if (size == ID_TEXT_SIZE - 1)
            count++;
        else if (clean && size > ID_TEXT_SIZE - 1 &&
                 cella_sim_path(folder, entry->d_name, path, NULL) == CELLA_OK)
            unlink(path);
    }
    closedir(stream);
    *ret_count = count;
    return CELLA_OK;
}

/* Makes the owner's folder if there is none, durably. */
static enum cella_status ensure_owner(const struct place *place, struct cella_error *error) {
    int lock = -1;
    size_t count = 0;
    enum cella_status status = cella_sim_lock(place->folder, &lock, error);
    if (status == CELLA_NOT_FOUND)
        return cella_fail(error, CELLA_MACHINE_DAMAGED, "the folder %s is missing", place->folder);
    if (status != CELLA_OK)
        return status;
    if (access(place->owner, F_OK) != 0) {
        status = count_entries(place->folder, false, &count, error);
        if (status == CELLA_OK && count >= MACHINE_OWNERS)
            status = cella_fail(error, CELLA_LIMIT, "the machine has counters of %d products already",
                                MACHINE_OWNERS);
        if (status == CELLA_OK && mkdir(place->owner, 0700) != 0 && errno != EEXIST)
            status = cella_fail(error, CELLA_IO, "cannot create %s: %s", place->owner, strerror(errno));
    }
    if (status == CELLA_OK && fsync(lock) != 0)
        status = cella_fail(error, CELLA_IO, "cannot flush %s: %s", place->folder, strerror(errno));
    close(lock);
    return status;
}

static enum cella_status create_file(const struct cella_sim *sim, const struct place *place,
                                     struct cella_error *error) {
    uint8_t bytes[FILE_SIZE];
    size_t count = 0;
    if (access(place->file, F_OK) == 0)
        return cella_fail(error, CELLA_EXISTS, "the enclave has this counter already");
    enum cella_status status = count_entries(place->owner, true, &count, error);
    if (status == CELLA_OK && count >= OWNER_COUNTERS)
        status =
            cella_fail(error, CELLA_LIMIT, "a product has at most %d counters on a machine", OWNER_COUNTERS);
    if (status == CELLA_OK)
        status = encode(sim, place, 0, bytes);
    if (status == CELLA_OK)
        status = cella_file_create(place->file, CELLA_BYTES(bytes, sizeof bytes), CELLA_FILE_PRIVATE, error);
    return status;
}

enum cella_status cella_sim_counter_create(struct cella_machine *machine,
                                           const struct cella_machine_identity *identity, const uint8_t *name,
                                           struct cella_error *error) {
    const struct cella_sim *sim = (const struct cella_sim *)machine;
    struct place place;
    int lock = -1;
    enum cella_status status = find_place(sim, identity, name, &place, error);
    if (status == CELLA_OK)
        status = ensure_owner(&place, error);
    if (status == CELLA_OK)
        status = cella_sim_lock(place.owner, &lock, error);
    if (status != CELLA_OK)
        return status;
    status = create_file(sim, &place, error);
    close(lock);
    return status;
}

enum cella_status cella_sim_counter_read(struct cella_machine *machine,
                                         const struct cella_machine_identity *identity, const uint8_t *name,
                                         uint64_t *ret_value, struct cella_error *error) {
    const struct cella_sim *sim = (const struct cella_sim *)machine;
    struct place place;
    enum cella_status status = find_place(sim, identity, name, &place, error);
    /* No lock: a file is replaced as a whole. */
    return status == CELLA_OK ? read_value(sim, &place, ret_value, error) : status;
}

static enum cella_status increment(const struct cella_sim *sim, const struct place *place,
                                   uint64_t *ret_value, struct cella_error *error) {
    uint8_t bytes[FILE_SIZE];
    uint64_t value = 0;
    enum cella_status status = read_value(sim, place, &value, error);
    if (status == CELLA_OK && value == UINT64_MAX)
        status = cella_fail(error, CELLA_LIMIT, "the counter is at the end of its range");
    if (status == CELLA_OK)
        status = encode(sim, place, value + 1, bytes);
    if (status == CELLA_OK)
        status = cella_file_write(place->file, CELLA_BYTES(bytes, sizeof bytes), CELLA_FILE_PRIVATE, error);
    if (status == CELLA_OK)
        *ret_value = value + 1;
    return status;
}

enum cella_status cella_sim_counter_increment(struct cella_machine *machine,
                                              const struct cella_machine_identity *identity,
                                              const uint8_t *name, uint64_t *ret_value,
                                              struct cella_error *error) {
    const struct cella_sim *sim = (const struct cella_sim *)machine;
    struct place place;
    int lock = -1;
    enum cella_status status = find_place(sim, identity, name, &place, error);
    if (status != CELLA_OK)
        return status;
    status = cella_sim_lock(place.owner, &lock, error);
    if (status == CELLA_NOT_FOUND) /* the read says whether the counter or the machine is missing */
        return read_value(sim, &place, ret_value, error);
    if (status != CELLA_OK)
        return status;
    status = increment(sim, &place, ret_value, error);
    close(lock);
    return status;
}
