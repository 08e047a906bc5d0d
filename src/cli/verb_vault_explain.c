/* cella vault explain: a vault, a proof of a fork, a restore or two signed heads, in sentences. Needs nothing
 * but the files. Must not: call anything proven that it has not verified here. */
#include "base/calendar.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "cli/vault_place.h"
#include "client/head_file.h"
#include "host/storage.h"
#include "state/evidence.h"
#include "state/restore.h"
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_LIMIT = 1 << 20, TEXT_SIZE = 1024 };

static const char usage[] =
    "usage: cella vault explain VAULT|FILE [--genesis FILE] [--state FOLDER] [--json]\n"
    "       cella vault explain HEAD [HEAD] [--genesis FILE] [--json]\n"
    "\n"
    "Explains a vault and its last failure; or a file: a proof of a fork (evidence), which is\n"
    "verified here and needs nothing else; a restore; or what one or two clients have seen of\n"
    "a vault, as cella mail head --out writes it.\n"
    "\n"
    "  --genesis FILE  the genesis of the vault: whose signatures count\n"
    "  --state FOLDER  the host's state folder ($XDG_STATE_HOME/cella or ~/.local/state/cella)\n"
    "  --json          print JSON\n";

struct options {
    const char *state;
    const char *genesis_path;
    bool json;
    uint8_t genesis_bytes[CELLA_GENESIS_SIZE_MAX];
    size_t genesis_size;
    bool has_genesis;
    struct cella_genesis genesis;
    json_t *sentences; /* of the answer as JSON */
};

static void say(struct options *options, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct options *options, const char *format, ...) {
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_t *line = json_string(text);
    if (options->json)
        json_array_append_new(options->sentences, line != NULL ? line : json_string("(not readable)"));
    else
        json_decref(line);
    if (!options->json)
        cli_line(stdout, "%s", text);
}

static enum cella_status load_genesis(struct options *options, const char *path, struct cella_error *error) {
    uint8_t *data = NULL;
    size_t size = 0;
    enum cella_status status = cella_file_read(path, CELLA_GENESIS_SIZE_MAX, &data, &size, error);
    if (status == CELLA_OK)
        status = cella_genesis_parse(CELLA_BYTES(data, size), &options->genesis, error);
    if (status == CELLA_OK) {
        memcpy(options->genesis_bytes, data, size);
        options->genesis_size = size;
        options->has_genesis = true;
    }
    free(data);
    return status;
}

/* --- files --- */

static void say_vault(struct options *options, const uint8_t id[CELLA_VAULT_ID_SIZE]) {
    char text[2 * CELLA_VAULT_ID_SIZE + 1];
    cella_hex_encode(id, CELLA_VAULT_ID_SIZE, text);
    say(options, "It is about the vault %s.", text);
}

static enum cella_status explain_evidence(struct options *options, const struct cella_fork_evidence *evidence,
                                          struct cella_error *error) {
    char text[TEXT_SIZE];
    uint8_t id[CELLA_VAULT_ID_SIZE], wanted[CELLA_VAULT_ID_SIZE];
    struct cella_bytes genesis = CELLA_BYTES(evidence->genesis, evidence->genesis_size);
    enum cella_status status = cella_fork_evidence_verify(evidence, text, sizeof text, error);
    if (status != CELLA_OK)
        return status;
    cella_genesis_vault_id(genesis, id);
    if (options->has_genesis) {
        cella_genesis_vault_id(CELLA_BYTES(options->genesis_bytes, options->genesis_size), wanted);
        if (memcmp(id, wanted, sizeof id) != 0)
            return cella_fail(error, CELLA_EVIDENCE_PROVES_NOTHING,
                              "it is about another vault than --genesis names");
    }
    say(options, "This is a proof of a fork; its signatures were verified here.");
    say_vault(options, id);
    say(options, "%s", text);
    say(options, "The heads: version %llu of epoch %llu, and version %llu of epoch %llu.",
        (unsigned long long)evidence->first.head.version, (unsigned long long)evidence->first.head.epoch,
        (unsigned long long)evidence->second.head.version, (unsigned long long)evidence->second.head.epoch);
    say(options,
        "So the vault was brought back to an older copy, or two copies of it ran. Whoever was answered "
        "by one of them may miss what the other one knows.");
    say(options,
        "What to do: keep this file and show it to the vault's owners. They go on from the newest copy of "
        "the vault's folder with cella vault restore.");
    return CELLA_OK;
}

static bool owner_signed(const struct cella_restore *restore, const struct cella_genesis *genesis,
                         struct cella_error *error) {
    return cella_restore_verify(restore, genesis, error) == CELLA_OK;
}

static void explain_restore(struct options *options, const struct cella_restore *restore) {
    char time[CELLA_CALENDAR_TEXT_SIZE];
    struct cella_error error = {.message = ""};
    cella_calendar_print(restore->time, time);
    say(options, "This is a restore: the word of a vault's owners that it goes on from an older head.");
    say_vault(options, restore->vault_id);
    say(options, "It goes on from version %llu of epoch %llu, as lineage %llu; it was made %s, reason: %s.",
        (unsigned long long)restore->from.version, (unsigned long long)restore->from.epoch,
        (unsigned long long)restore->lineage, time,
        restore->reason[0] == '\0' ? "none given" : restore->reason);
    if (restore->lost_to > restore->from.version)
        say(options, "Versions %llu to %llu are known to be lost by it.",
            (unsigned long long)restore->from.version + 1, (unsigned long long)restore->lost_to);
    say(options, "It has %u signatures.", restore->signature_count);
    if (!options->has_genesis)
        say(options, "Whether they are of the vault's owners, and enough, is not known without --genesis.");
    else if (owner_signed(restore, &options->genesis, &error))
        say(options, "They are of the vault's owners, and they are enough: the next start carries it out.");
    else
        say(options, "It is not authorised: %s.", error.message);
}

/* --- heads that clients have seen --- */

/* Checks the vault's signature. With --genesis it must be that vault. */
static enum cella_status accept_head(const struct options *options, struct cella_bytes bytes,
                                     struct cella_head_file *ret_file, struct cella_error *error) {
    enum cella_status status = cella_head_file_parse(bytes, ret_file, error);
    if (status == CELLA_OK && options->has_genesis &&
        (options->genesis_size != ret_file->genesis_size ||
         memcmp(options->genesis_bytes, ret_file->genesis, ret_file->genesis_size) != 0))
        status =
            cella_fail(error, CELLA_SIGNATURE_INVALID, "the head is of another vault than --genesis names");
    return status;
}

static void explain_head(struct options *options, const struct cella_head_file *file) {
    say(options, "The vault signed version %llu of epoch %llu, lineage %llu.",
        (unsigned long long)file->head.head.version, (unsigned long long)file->head.head.epoch,
        (unsigned long long)file->head.lineage);
}

static void compare_heads(struct options *options, const struct cella_signed_head *first,
                          const struct cella_signed_head *second) {
    switch (cella_heads_compare(first, second)) {
    case CELLA_HEADS_EQUAL:
        say(options, "They are the same head.");
        break;
    case CELLA_HEADS_OLDER:
    case CELLA_HEADS_NEWER:
        say(options,
            "One history can hold both. Whether it does, only a proof of consistency says, which the vault "
            "gives to its clients.");
        break;
    case CELLA_HEADS_INCOMPARABLE:
        say(options, "They are of two lineages: a restore by the owners lies between them.");
        break;
    case CELLA_HEADS_CONTRADICT:
        say(options,
            "No one history can hold both: the vault was brought back to an older copy, or two copies of it "
            "ran. These two files prove it to anyone.");
        break;
    }
}

static enum cella_status explain_heads(struct options *options, char **paths, struct cella_error *error) {
    struct cella_head_file files[2];
    for (int i = 0; i < 2; i++) {
        uint8_t *data = NULL;
        size_t size = 0;
        enum cella_status status = cella_file_read(paths[i], FILE_LIMIT, &data, &size, error);
        if (status == CELLA_OK)
            status = accept_head(options, CELLA_BYTES(data, size), &files[i], error);
        free(data);
        if (status != CELLA_OK)
            return cella_fail_context(error, status, "%.200s", paths[i]);
    }
    if (memcmp(files[0].head.vault_id, files[1].head.vault_id, sizeof files[0].head.vault_id) != 0)
        return cella_fail(error, CELLA_ARGUMENT, "the two heads are of two vaults");
    say_vault(options, files[0].head.vault_id);
    for (int i = 0; i < 2; i++)
        explain_head(options, &files[i]);
    compare_heads(options, &files[0].head, &files[1].head);
    return CELLA_OK;
}

/* --- any file --- */

static enum cella_status explain_file(struct options *options, struct cella_bytes bytes,
                                      struct cella_error *error) {
    struct cella_restore restore;
    struct cella_head_file head;
    struct cella_fork_evidence *evidence = malloc(sizeof *evidence);
    if (evidence == NULL)
        return CELLA_NO_MEMORY;
    enum cella_status status = CELLA_OK;
    if (cella_fork_evidence_parse(bytes, evidence, error) == CELLA_OK)
        status = explain_evidence(options, evidence, error);
    else if (cella_restore_parse(bytes, &restore, NULL) == CELLA_OK)
        explain_restore(options, &restore);
    else if (cella_head_file_parse(bytes, &head, NULL) == CELLA_OK) {
        status = accept_head(options, bytes, &head, error);
        if (status == CELLA_OK) {
            say_vault(options, head.head.vault_id);
            explain_head(options, &head);
        }
    } else
        status =
            cella_fail(error, CELLA_DAMAGED,
                       "the file is neither a proof of a fork nor a restore nor a head, or it was damaged");
    free(evidence);
    return status;
}

/* --- a vault --- */

static void explain_identity(struct options *options, const struct cli_vault *vault) {
    char id[2 * CELLA_VAULT_ID_SIZE + 1];
    if (!vault->has_genesis) {
        say(options,
            "The folder %s has no genesis that can be read, so it is not a whole vault. Nothing is made anew "
            "in it; bring the missing files back.",
            vault->path);
        return;
    }
    cella_hex_encode(vault->vault_id, sizeof vault->vault_id, id);
    say(options, "The vault \"%s\" has the id %s.", vault->name, id);
    say(options, "It is %s.", cli_vault_kind(&vault->genesis));
    if (vault->genesis.owner_count == 0)
        say(options, "It has no owners: nobody can ever authorise a restore.");
    else
        say(options, "%u of its %u owners can authorise a restore together.", vault->genesis.owner_threshold,
            vault->genesis.owner_count);
}

static void explain_state(struct options *options, const struct cli_vault *vault) {
    char time[CELLA_CALENDAR_TEXT_SIZE];
    cella_calendar_print(vault->changed_at, time);
    if (vault->version > 0)
        say(options,
            "This copy: version %llu, epoch %llu, last written %s. (Its files say so; only cella vault check "
            "proves it.)",
            (unsigned long long)vault->version, (unsigned long long)vault->epoch, time);
    if (vault->in_use)
        say(options, "It is in use: an instance has it open at this moment.");
    if (vault->has_restore)
        say(options, "A restore waits in it for the next start.");
    if (vault->failure.status == CELLA_OK)
        return;
    cella_calendar_print(vault->failure.time, time);
    say(options, "The last start, %s, failed [%s]: %s.", time, cella_status_name(vault->failure.status),
        vault->failure.message);
    say(options, "That means: %s.", cella_status_sentence(vault->failure.status));
    if (cli_vault_cause(vault->failure.status) != NULL)
        say(options, "Likely cause: %s.", cli_vault_cause(vault->failure.status));
    say(options, "What to do: %s.", cella_status_remedy(vault->failure.status));
}

static void explain_its_evidence(struct options *options, const struct cli_vault *vault) {
    struct cella_error error = {.message = ""};
    char name[CELLA_STORAGE_NAME_MAX];
    uint8_t *data = NULL;
    size_t size = 0;
    if (vault->evidence == 0)
        return;
    cella_storage_name((struct cella_store_file){CELLA_STORE_EVIDENCE, vault->last_evidence}, name);
    say(options, "It holds %llu proofs of a fork; the newest is %s.", (unsigned long long)vault->evidence,
        name);
    enum cella_status status = cli_vault_read(vault->path, name, FILE_LIMIT, &data, &size, &error);
    if (status == CELLA_OK)
        status = explain_file(options, CELLA_BYTES(data, size), &error);
    if (status != CELLA_OK)
        say(options, "But that file cannot be verified [%s]: %s.", cella_status_name(status), error.message);
    free(data);
}

static enum cella_status explain_vault(struct options *options, const char *what, struct cella_error *error) {
    struct cli_vault vault = {.has_genesis = false};
    char path[PATH_MAX];
    enum cella_status status = cli_vault_path(options->state, what, path, error);
    if (status == CELLA_OK)
        status = cli_vault_look(path, &vault, error);
    if (status == CELLA_NOT_FOUND && vault.failure.status != CELLA_OK) {
        say(options, "There is no folder %s.", path);
        explain_state(options, &vault);
        return CELLA_OK;
    }
    if (status != CELLA_OK)
        return status;
    explain_identity(options, &vault);
    explain_state(options, &vault);
    explain_its_evidence(options, &vault);
    return CELLA_OK;
}

static bool is_regular(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

/* A restore that lies in its vault's folder is read beside its genesis. */
static void find_genesis(struct options *options, const char *file) {
    char path[PATH_MAX];
    const char *slash = strrchr(file, '/');
    if (options->has_genesis || slash == NULL ||
        snprintf(path, sizeof path, "%.*s/genesis", (int)(slash - file), file) >= (int)sizeof path)
        return;
    (void)load_genesis(options, path, NULL);
}

static enum cella_status explain(struct options *options, int count, char **what, struct cella_error *error) {
    uint8_t *data = NULL;
    size_t size = 0;
    enum cella_status status = CELLA_OK;
    if (options->genesis_path != NULL)
        status = load_genesis(options, options->genesis_path, error);
    if (status != CELLA_OK)
        return cella_fail_context(error, status, "%s", options->genesis_path);
    if (count == 2)
        return explain_heads(options, what, error);
    if (!is_regular(what[0]))
        return explain_vault(options, what[0], error);
    find_genesis(options, what[0]);
    status = cella_file_read(what[0], FILE_LIMIT, &data, &size, error);
    if (status == CELLA_OK)
        status = explain_file(options, CELLA_BYTES(data, size), error);
    free(data);
    return status;
}

int cli_vault_explain(int argc, char **argv) {
    static const struct option table[] = {{"state", required_argument, NULL, 's'},
                                          {"genesis", required_argument, NULL, 'g'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.state = NULL};
    struct cella_error error = {.message = ""};
    int code;
    while ((code = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (code == 's')
            options.state = optarg;
        else if (code == 'g')
            options.genesis_path = optarg;
        else if (code == 'j')
            options.json = true;
        else if (code == 'h') {
            fputs(usage, stdout);
            return 0;
        } else
            return cli_usage_option(usage, argv);
    }
    if (argc - optind < 1 || argc - optind > 2)
        return cli_usage(usage, "name a vault, a file, or two signed heads");
    options.sentences = json_array();
    enum cella_status status = explain(&options, argc - optind, argv + optind, &error);
    if (status == CELLA_OK && options.json) {
        json_t *object = json_pack("{s:O}", "sentences", options.sentences);
        json_dumpf(object, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
        putchar('\n');
        json_decref(object);
    }
    json_decref(options.sentences);
    return status == CELLA_OK ? 0 : cli_fail(status, &error, NULL);
}
