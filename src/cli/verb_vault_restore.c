/* cella vault restore: brings a backup back, and makes the owners' word that the vault goes on from there.
 * Must not: overwrite or remove a vault, or make it look as if nothing had been lost. */
#include "base/error.h"
#include "base/file.h"
#include "base/secret.h"
#include "cli/place.h"
#include "cli/vault_place.h"
#include "crypto/owner_key.h"
#include "host/backup.h"
#include "state/report.h"
#include "state/restore.h"
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const char usage[] =
    "usage: cella vault restore VAULT FILE [--state FOLDER] [--dry-run]\n"
    "       cella vault restore VAULT [FILE] --owner-key FILE... --image FILE [--machine FOLDER]\n"
    "                           [--reason TEXT] [--lost-to VERSION] [--epoch EPOCH] [OPTIONS]\n"
    "\n"
    "Puts a backup where the vault was; what lies there is set aside, never overwritten. Clients\n"
    "that have seen newer state notice and stop the vault, unless its owners authorise the\n"
    "restore: with their keys, a restore is written beside the vault, which its next start\n"
    "carries out and its history shows. Without FILE, for the state that lies there already.\n"
    "Owners may sign one after the other.\n"
    "\n"
    "  --owner-key FILE   a private key of one of the vault's owners (cella key new --type owner);\n"
    "                     repeatable\n"
    "  --image FILE       the vault's image, which reads where the state ends\n"
    "  --machine FOLDER   the machine (FOLDER/machine of the state folder)\n"
    "  --reason TEXT      why, for people; up to 255 characters\n"
    "  --lost-to VERSION  the newest version that is known to be lost (as far as can be seen)\n"
    "  --epoch EPOCH      the greatest epoch that the vault is known to have had (likewise)\n"
    "  --state FOLDER     the host's state folder ($XDG_STATE_HOME/cella or ~/.local/state/cella)\n"
    "  --dry-run          say what would be done, change nothing\n";

struct request {
    struct cli_vault_options options;
    const char *key_paths[CELLA_VAULT_OWNERS_MAX];
    struct cella_ed25519_key keys[CELLA_VAULT_OWNERS_MAX];
    unsigned key_count;
    const char *file; /* the backup, or NULL */
    const char *reason;
    uint64_t lost_to, epoch;
    char path[PATH_MAX];
    char aside[PATH_MAX]; /* where the old folder went, or "" */
};

static bool take_option(struct request *request, int code, const char *value) {
    switch (code) {
    case 'k':
        if (request->key_count == CELLA_VAULT_OWNERS_MAX)
            return false;
        request->key_paths[request->key_count++] = value;
        return true;
    case 'i':
        request->options.image = value;
        return true;
    case 'm':
        request->options.machine = value;
        return true;
    case 'r':
        request->reason = value;
        return strlen(value) <= 255;
    case 'l':
        return cli_read_number(value, 1, UINT64_MAX / 4, &request->lost_to);
    case 'e':
        return cli_read_number(value, 1, UINT64_MAX / 4, &request->epoch);
    case 's':
        request->options.state = value;
        return true;
    default:
        return request->options.dry_run = true;
    }
}

static enum cella_status load_keys(struct request *request, struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    for (unsigned i = 0; i < request->key_count && status == CELLA_OK; i++) {
        uint8_t *pem = NULL;
        size_t size = 0;
        status = cella_file_read_private(request->key_paths[i], CELLA_OWNER_PEM_LIMIT, &pem, &size, error);
        if (status == CELLA_OK)
            status = cella_owner_key_read(CELLA_BYTES(pem, size), &request->keys[i], error);
        if (status != CELLA_OK)
            (void)cella_fail_context(error, status, "%s", request->key_paths[i]);
        cella_wipe_free(pem, size);
    }
    return status;
}

/* A free name beside the vault's. */
static enum cella_status name_aside(struct request *request, struct cella_error *error) {
    struct stat info;
    for (unsigned i = 1; i < 1000; i++) {
        if (snprintf(request->aside, sizeof request->aside, "%.*s.before-%u", PATH_MAX - 32, request->path,
                     i) >= (int)sizeof request->aside)
            break;
        if (lstat(request->aside, &info) != 0)
            return CELLA_OK;
    }
    return cella_fail(error, CELLA_EXISTS, "there is no free name to set %.180s aside", request->path);
}

/* What lies there is kept under another name, and what can be seen of it is told to the restore. */
static enum cella_status set_aside(struct request *request, struct cella_error *error) {
    struct cella_disk_posix *posix = NULL;
    struct cli_vault old;
    enum cella_status status = cli_vault_look(request->path, &old, error);
    if (status == CELLA_NOT_FOUND)
        return CELLA_OK;
    if (status == CELLA_OK && old.version > request->lost_to)
        request->lost_to = old.version;
    if (status == CELLA_OK && old.epoch > request->epoch)
        request->epoch = old.epoch;
    if (status == CELLA_OK)
        status = cella_disk_posix_open(request->path, CELLA_DISK_FOLDER_OPEN, &posix, error);
    if (status == CELLA_OK)
        status = name_aside(request, error);
    if (status == CELLA_OK && request->options.dry_run)
        cli_say("would set %s aside as %s", request->path, request->aside);
    else if (status == CELLA_OK)
        status = cella_disk_posix_move(posix, request->aside, error);
    cella_disk_posix_close(posix);
    return status;
}

static enum cella_status put_back(struct request *request, struct cella_error *error) {
    struct cella_backup_facts facts;
    enum cella_status status = cella_backup_check(request->file, &facts, error);
    if (status == CELLA_OK)
        status = set_aside(request, error);
    if (status == CELLA_OK && request->options.dry_run) {
        cli_say("would put %llu files with %llu bytes into %s", (unsigned long long)facts.files,
                (unsigned long long)facts.bytes, request->path);
        return CELLA_OK;
    }
    if (status != CELLA_OK)
        return status;
    status = cella_backup_unpack(request->file, request->path, error);
    if (status == CELLA_OK)
        cli_say("put %llu files with %llu bytes into %s", (unsigned long long)facts.files,
                (unsigned long long)facts.bytes, request->path);
    if (request->aside[0] != '\0')
        cli_say("what was there lies in %s", request->aside);
    return status;
}

static uint64_t greatest(uint64_t first, uint64_t second) {
    return first > second ? first : second;
}

/* Whoever carries a half-signed restore could have put anything in it: nobody signs what his own image does
 * not find. */
static enum cella_status check_waiting(const struct cella_restore *restore,
                                       const struct cella_vault_report *report, struct cella_error *error) {
    bool same = memcmp(restore->vault_id, report->vault_id, sizeof restore->vault_id) == 0 &&
                restore->lineage == report->lineage + 1 && restore->from.epoch == report->found.epoch &&
                restore->from.version == report->found.version &&
                memcmp(restore->from.digest, report->found.digest, sizeof restore->from.digest) == 0 &&
                memcmp(restore->from_root, report->found_root, sizeof restore->from_root) == 0 &&
                restore->epoch >= report->register_epoch && restore->epoch >= report->found.epoch;
    if (same)
        return CELLA_OK;
    return cella_fail(
        error, CELLA_VAULT_RESTORE,
        "the restore that waits for signatures goes on from version %llu, but the vault ends at "
        "version %llu: move the file `restore` in the vault's folder away to begin a new one",
        (unsigned long long)restore->from.version, (unsigned long long)report->found.version);
}

/* A restore that waits is signed further; else one is made of what the image found. */
static enum cella_status prepare(const struct request *request, const struct cella_vault_report *report,
                                 struct cella_restore *ret_restore, struct cella_error *error) {
    uint8_t *data = NULL;
    size_t size = 0;
    struct cella_restore restore = {
        .lineage = report->lineage + 1, .from = report->found, .time = (int64_t)time(NULL)};
    enum cella_status status =
        cli_vault_read(request->path, "restore", CELLA_RESTORE_SIZE_MAX, &data, &size, error);
    if (status == CELLA_OK) {
        status = cella_restore_parse(CELLA_BYTES(data, size), ret_restore, error);
        free(data);
        return status == CELLA_OK ? check_waiting(ret_restore, report, error) : status;
    }
    if (status != CELLA_NOT_FOUND)
        return status;
    memcpy(restore.vault_id, report->vault_id, sizeof restore.vault_id);
    memcpy(restore.from_root, report->found_root, sizeof restore.from_root);
    restore.lost_to = greatest(request->lost_to, report->found.version);
    /* A start may have been about to take the next epoch. */
    restore.epoch = greatest(greatest(request->epoch, report->register_epoch), report->found.epoch + 1);
    (void)snprintf(restore.reason, sizeof restore.reason, "%s",
                   request->reason == NULL ? "" : request->reason);
    *ret_restore = restore;
    return CELLA_OK;
}

static enum cella_status sign(struct request *request, const struct cella_genesis *genesis,
                              struct cella_restore *restore, struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    for (unsigned i = 0; i < request->key_count && status == CELLA_OK; i++) {
        bool is_owner = false;
        for (unsigned owner = 0; owner < genesis->owner_count; owner++)
            is_owner = is_owner || memcmp(genesis->owners[owner], request->keys[i].public_key,
                                          CELLA_ED25519_PUBLIC_SIZE) == 0;
        status = is_owner
                     ? cella_restore_sign(restore, &request->keys[i], error)
                     : cella_fail(error, CELLA_VAULT_RESTORE,
                                  "%.200s is the key of none of the vault's owners", request->key_paths[i]);
    }
    return status;
}

static void say_result(const struct request *request, const struct cella_restore *restore,
                       const struct cella_genesis *genesis) {
    cli_line(stdout, "restore     from version %llu, epoch %llu, as lineage %llu",
             (unsigned long long)restore->from.version, (unsigned long long)restore->from.epoch,
             (unsigned long long)restore->lineage);
    if (restore->lost_to > restore->from.version)
        cli_line(stdout, "lost        versions %llu to %llu", (unsigned long long)restore->from.version + 1,
                 (unsigned long long)restore->lost_to);
    cli_line(stdout, "signatures  %u of %u", restore->signature_count, genesis->owner_threshold);
    if (restore->signature_count >= genesis->owner_threshold)
        cli_say("the next start of the vault carries it out; its clients will be told what is lost");
    else
        cli_say("more owners must sign: cella vault restore %s --owner-key FILE --image FILE", request->path);
}

static enum cella_status authorise(struct request *request, struct cella_error *error) {
    struct cella_vault_report report;
    struct cella_restore restore;
    struct cli_vault vault;
    char path[PATH_MAX + 16];
    uint8_t bytes[CELLA_RESTORE_SIZE_MAX];
    size_t size = 0;
    enum cella_status status = cli_vault_look(request->path, &vault, error);
    if (status == CELLA_OK && !vault.has_genesis)
        status = cella_fail(error, CELLA_VAULT_MISSING, "there is no vault in %.180s", request->path);
    if (status == CELLA_OK && vault.genesis.owner_count == 0)
        status = cella_fail(error, CELLA_VAULT_RESTORE,
                            "this vault has no owners: nobody can authorise a restore");
    if (status != CELLA_OK)
        return status;
    status = cli_vault_run_check(&request->options, request->path, &report, error);
    /* What is wrong may be the very thing that the restore is for; what counts is that all of it was read. */
    if (status != CELLA_OK && status != CELLA_VAULT_STALE && status != CELLA_VAULT_REWOUND &&
        status != CELLA_VAULT_STOPPED && status != CELLA_VAULT_RESTORE)
        return status;
    if (report.found.version == 0)
        return cella_fail_context(error, status == CELLA_OK ? CELLA_VAULT_DAMAGED : status,
                                  "the image could not say where the state ends");
    status = prepare(request, &report, &restore, error);
    if (status == CELLA_OK)
        status = sign(request, &vault.genesis, &restore, error);
    if (status == CELLA_OK)
        status = cella_restore_write(&restore, bytes, &size, error);
    (void)snprintf(path, sizeof path, "%s/restore", request->path);
    if (status == CELLA_OK && !request->options.dry_run)
        status = cella_file_write(path, CELLA_BYTES(bytes, size), CELLA_FILE_PRIVATE, error);
    if (status == CELLA_OK)
        say_result(request, &restore, &vault.genesis);
    return status;
}

static enum cella_status run(struct request *request, struct cella_error *error) {
    enum cella_status status = load_keys(request, error);
    if (status == CELLA_OK && request->file != NULL)
        status = put_back(request, error);
    if (status != CELLA_OK)
        return status;
    if (request->key_count == 0) {
        cli_say("no owner has authorised this: clients that have seen newer state will notice and stop the "
                "vault");
        return CELLA_OK;
    }
    if (request->options.dry_run && request->file != NULL) {
        cli_say("would have the restore signed by %u owners", request->key_count);
        return CELLA_OK;
    }
    return authorise(request, error);
}

int cli_vault_restore(int argc, char **argv) {
    static const struct option table[] = {{"owner-key", required_argument, NULL, 'k'},
                                          {"image", required_argument, NULL, 'i'},
                                          {"machine", required_argument, NULL, 'm'},
                                          {"reason", required_argument, NULL, 'r'},
                                          {"lost-to", required_argument, NULL, 'l'},
                                          {"epoch", required_argument, NULL, 'e'},
                                          {"state", required_argument, NULL, 's'},
                                          {"dry-run", no_argument, NULL, 'n'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct request request = {.file = NULL};
    struct cella_error error = {.message = ""};
    int code;
    while ((code = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (code == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (code == '?')
            return cli_usage_option(usage, argv);
        if (!take_option(&request, code, optarg))
            return cli_usage_value(usage, table, code, optarg,
                                   code == 'k'   ? "at most 16 keys"
                                   : code == 'r' ? "up to 255 characters"
                                                 : "a number from 1 on");
    }
    if (argc - optind < 1 || argc - optind > 2)
        return cli_usage(usage, "name one vault and at most one backup");
    request.file = argc - optind == 2 ? argv[optind + 1] : NULL;
    if (request.file == NULL && request.key_count == 0)
        return cli_usage(usage, "name a backup to bring back, or the owners' keys, or both");
    if (request.key_count > 0 && request.options.image == NULL)
        return cli_usage(usage, "--owner-key needs --image: the image reads where the state ends");
    enum cella_status status = cli_vault_path(request.options.state, argv[optind], request.path, &error);
    if (status == CELLA_OK)
        status = run(&request, &error);
    for (unsigned i = 0; i < request.key_count; i++)
        cella_ed25519_deinit(&request.keys[i]);
    return status == CELLA_OK ? 0 : cli_vault_fail(status, &error, NULL);
}
