/* Looking at a vault's folder from outside. Must not: change anything, or lock it for longer than a look. */
#include "cli/vault_place.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/place.h"
#include "host/instance.h"
#include "host/storage.h"
#include "state/journal.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum cella_status cli_vault_path(const char *state, const char *what, char ret_path[PATH_MAX],
                                 struct cella_error *error) {
    char folder[PATH_MAX];
    int size;
    if (strchr(what, '/') != NULL) {
        size = snprintf(ret_path, PATH_MAX, "%s", what);
        while (size > 1 && size < PATH_MAX && ret_path[size - 1] == '/')
            ret_path[--size] = '\0';
    } else {
        enum cella_status status = cli_state_folder(state, false, folder, error);
        if (status != CELLA_OK)
            return status;
        size = snprintf(ret_path, PATH_MAX, "%.*s/vaults/%s", PATH_MAX - 16, folder, what);
    }
    return size < PATH_MAX ? CELLA_OK : cella_fail(error, CELLA_ARGUMENT, "the vault's path is too long");
}

enum cella_status cli_vault_read(const char *path, const char *name, size_t limit, uint8_t **ret_data,
                                 size_t *ret_size, struct cella_error *error) {
    char full[PATH_MAX];
    if (snprintf(full, sizeof full, "%s/%s", path, name) >= (int)sizeof full)
        return cella_fail(error, CELLA_ARGUMENT, "the vault's path is too long");
    return cella_file_read(full, limit, ret_data, ret_size, error);
}

static void note_file(void *visitor, const char *name, uint64_t size) {
    struct cli_vault *vault = visitor;
    struct cella_store_file file;
    if (!cella_storage_parse_name(name, &file))
        return;
    vault->bytes += size;
    switch (file.kind) {
    case CELLA_STORE_GENESIS:
        vault->has_genesis = true;
        break;
    case CELLA_STORE_SEGMENT:
        vault->segment_bytes += size;
        if (vault->segments++ == 0 || file.number < vault->first_segment)
            vault->first_segment = file.number;
        if (file.number > vault->last_segment)
            vault->last_segment = file.number;
        break;
    case CELLA_STORE_SNAPSHOT:
        vault->snapshots++;
        if (file.number > vault->snapshot)
            vault->snapshot = file.number;
        break;
    case CELLA_STORE_HISTORY:
        vault->history_bytes = size;
        break;
    case CELLA_STORE_EVIDENCE:
        vault->evidence++;
        if (file.number > vault->last_evidence)
            vault->last_evidence = file.number;
        break;
    case CELLA_STORE_RESTORE:
        vault->has_restore = true;
        break;
    }
}

/* From header to header, as far as they follow each other. */
static void walk_records(const struct cella_disk *disk, struct cella_disk_file *file,
                         struct cella_journal *journal, struct cli_vault *vault) {
    uint8_t bytes[CELLA_RECORD_HEADER_SIZE];
    struct cella_record_header header;
    uint64_t offset = CELLA_SEGMENT_HEADER_SIZE;
    struct cella_disk_span span = {.out = bytes, .size = sizeof bytes};
    while (disk->read(disk->context, file, offset, &span, NULL) == CELLA_OK &&
           cella_record_header_parse(journal, CELLA_BYTES(bytes, span.got), &header) == CELLA_OK &&
           header.offset == offset && header.version == vault->version + 1) {
        vault->version = header.version;
        vault->epoch = header.epoch;
        vault->lineage += header.kind == CELLA_RECORD_RESTORE;
        offset += header.size;
    }
}

static void look_at_segment(const struct cella_disk *disk, struct cli_vault *vault) {
    char name[CELLA_STORAGE_NAME_MAX];
    uint8_t header[CELLA_SEGMENT_HEADER_SIZE];
    struct cella_journal journal = {.offset = 0};
    struct cella_disk_file *file = NULL;
    struct cella_disk_span span = {.out = header, .size = sizeof header};
    cella_storage_name((struct cella_store_file){CELLA_STORE_SEGMENT, vault->last_segment}, name);
    if (disk->open(disk->context, name, CELLA_DISK_READ, &file, NULL) != CELLA_OK)
        return;
    struct cella_bytes bytes = CELLA_BYTES(header, sizeof header);
    if (disk->read(disk->context, file, 0, &span, NULL) == CELLA_OK && span.got == sizeof header &&
        cella_segment_parse(bytes, &journal.segment, NULL) == CELLA_OK) {
        memcpy(journal.header_digest, header + sizeof header - CELLA_DIGEST_SIZE, CELLA_DIGEST_SIZE);
        vault->lineage = journal.segment.lineage;
        vault->epoch = journal.segment.after.epoch;
        vault->version = journal.segment.after.version;
        walk_records(disk, file, &journal, vault);
    }
    disk->close(disk->context, file);
    char path[PATH_MAX];
    struct stat info;
    if (snprintf(path, sizeof path, "%s/%s", vault->path, name) < (int)sizeof path && stat(path, &info) == 0)
        vault->changed_at = info.st_mtime;
}

static void look_at_genesis(struct cli_vault *vault) {
    uint8_t *data = NULL;
    size_t size = 0;
    vault->has_genesis =
        cli_vault_read(vault->path, "genesis", CELLA_GENESIS_SIZE_MAX, &data, &size, NULL) == CELLA_OK &&
        cella_genesis_parse(CELLA_BYTES(data, size), &vault->genesis, NULL) == CELLA_OK;
    if (vault->has_genesis)
        cella_genesis_vault_id(CELLA_BYTES(data, size), vault->vault_id);
    free(data);
}

/* "WORD TIME", then the sentence. */
static void look_at_failure(struct cli_vault *vault) {
    char path[PATH_MAX + 16], word[64];
    uint8_t *data = NULL;
    size_t size = 0;
    (void)snprintf(path, sizeof path, "%s.failure", vault->path);
    if (cella_file_read(path, 4096, &data, &size, NULL) != CELLA_OK)
        return;
    const char *text = (const char *)data;
    const char *blank = strchr(text, ' ');
    const char *line = strchr(text, '\n');
    if (blank != NULL && line != NULL && blank < line && (size_t)(blank - text) < sizeof word) {
        memcpy(word, text, (size_t)(blank - text));
        word[blank - text] = '\0';
        vault->failure.time = strtoll(blank + 1, NULL, 10);
        if (cella_status_from_name(word, &vault->failure.status) != CELLA_OK)
            vault->failure.status = CELLA_FAILED;
        (void)snprintf(vault->failure.message, sizeof vault->failure.message, "%s", line + 1);
        vault->failure.message[strcspn(vault->failure.message, "\n")] = '\0';
    }
    free(data);
}

static bool is_in_use(const char *path) {
    struct cella_disk_posix *posix = NULL;
    bool busy = cella_disk_posix_open(path, CELLA_DISK_FOLDER_OPEN, &posix, NULL) == CELLA_VAULT_BUSY;
    cella_disk_posix_close(posix);
    return busy;
}

enum cella_status cli_vault_look(const char *path, struct cli_vault *ret_vault, struct cella_error *error) {
    struct cli_vault *vault = ret_vault;
    struct cella_disk_posix *posix = NULL;
    const char *slash = strrchr(path, '/');
    memset(vault, 0, sizeof *vault);
    (void)snprintf(vault->path, sizeof vault->path, "%s", path);
    (void)snprintf(vault->name, sizeof vault->name, "%.*s", NAME_MAX, slash == NULL ? path : slash + 1);
    look_at_failure(vault);
    enum cella_status status = cella_disk_posix_open(path, CELLA_DISK_FOLDER_LOOK, &posix, error);
    if (status != CELLA_OK)
        return status;
    const struct cella_disk *disk = cella_disk_posix_disk(posix);
    status = disk->list(disk->context, note_file, vault, error);
    if (status == CELLA_OK && vault->has_genesis)
        look_at_genesis(vault);
    if (status == CELLA_OK && vault->segments > 0)
        look_at_segment(disk, vault);
    cella_disk_posix_close(posix);
    vault->in_use = is_in_use(path);
    return status;
}

const char *cli_vault_kind(const struct cella_genesis *genesis) {
    return genesis->kind == CELLA_VAULT_MACHINE ? "bound to one machine (machine counter); rollback within "
                                                  "an epoch is detected by clients only"
                                                : "of a kind that this release does not know";
}

const char *cli_vault_cause(enum cella_status status) {
    switch (status) {
    case CELLA_VAULT_MISSING:
        return "the folder was moved or emptied, or the disk that holds it is not mounted";
    case CELLA_VAULT_STALE:
        return "the disk was restored from an older copy, or the vault ran from another copy since";
    case CELLA_VAULT_OTHER:
        return "files of two vaults were copied into one folder";
    case CELLA_VAULT_OTHER_MACHINE:
        return "the folder was copied to another machine, or the machine was replaced";
    case CELLA_VAULT_OTHER_SIGNER:
        return "another image was started under this vault's name";
    case CELLA_VAULT_DAMAGED:
    case CELLA_HISTORY_DAMAGED:
        return "the disk lost or changed bytes, or somebody edited the files";
    case CELLA_VAULT_SPLICED:
        return "files of several copies of the same vault were mixed";
    case CELLA_VAULT_REWOUND:
    case CELLA_NO_COUNTER:
        return "the machine's own state was restored from an older copy";
    case CELLA_VAULT_STOPPED:
    case CELLA_VAULT_FORK:
        return "the vault was brought back to an older copy, or two copies of it ran, and a client has seen "
               "both";
    case CELLA_VAULT_RESTORE:
        return "a restore waits that too few owners have signed, or that was signed for another state";
    case CELLA_KEY_CPU_SVN:
        return "the platform was set back to an older version than the one that sealed the vault";
    case CELLA_KEY_ISV_SVN:
        return "an older image was started than the one that sealed the vault";
    case CELLA_FENCED:
        return "another instance has taken the vault over";
    case CELLA_VAULT_BUSY:
        return "a host runs it at this moment";
    default:
        return NULL;
    }
}

enum cella_status cli_vault_run_check(const struct cli_vault_options *options, const char *path,
                                      struct cella_vault_report *ret_report, struct cella_error *error) {
    char machine[PATH_MAX + 16], folder[PATH_MAX];
    if (options->machine != NULL) {
        (void)snprintf(machine, sizeof machine, "%s", options->machine);
    } else {
        enum cella_status status = cli_state_folder(options->state, false, folder, error);
        if (status != CELLA_OK)
            return status;
        (void)snprintf(machine, sizeof machine, "%s/machine", folder);
    }
    const struct cella_instance_options instance = {
        .image_path = options->image, .machine_path = machine, .vault_path = path};
    return cella_instance_check(&instance, ret_report, error);
}

int cli_vault_fail(enum cella_status status, const struct cella_error *error,
                   const struct cella_vault_report *report) {
    const char *cause = cli_vault_cause(status);
    bool filled = error->message[0] != '\0';
    cli_line(stderr, "cella: error: %s  [%s]", filled ? error->message : cella_status_sentence(status),
             cella_status_name(status));
    if (report != NULL && report->found.version > 0)
        cli_say("this copy: version %llu, epoch %llu; the machine's counter: epoch %llu",
                (unsigned long long)report->found.version, (unsigned long long)report->found.epoch,
                (unsigned long long)report->register_epoch);
    if (cause != NULL)
        cli_say("likely cause: %s", cause);
    cli_say("hint: %s", cella_status_remedy(status));
    return cella_status_exit_code(status);
}
