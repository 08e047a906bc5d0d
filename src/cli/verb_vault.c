/* cella vault: which vaults there are, what is known of them, and their backups. Must not: decide what only
 * an enclave can verify. */
#include "base/calendar.h"
#include "base/error.h"
#include "base/hex.h"
#include "cli/place.h"
#include "cli/vault_place.h"
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: cella vault list [--state FOLDER] [--json]\n"
    "       cella vault show VAULT [--state FOLDER] [--json]\n"
    "       cella vault explain VAULT|FILE [--state FOLDER] [--json]\n"
    "       cella vault explain HEAD HEAD --genesis FILE [--json]\n"
    "       cella vault check VAULT --image FILE [--machine FOLDER] [--state FOLDER] [--json]\n"
    "       cella vault backup VAULT FILE [--state FOLDER] [--dry-run] [--json]\n"
    "       cella vault restore VAULT [FILE] [--owner-key FILE --image FILE ...] [--dry-run]\n"
    "\n"
    "A vault holds the state of an enclave between its runs. VAULT is the enclave's name at the\n"
    "host whose state folder this is, or, with a '/' in it, the path of a vault's folder.\n"
    "\n"
    "list     the vaults of a host\n"
    "show     what the clear parts of one say\n"
    "explain  in sentences: a vault and its last failure, a proof of a fork, a restore, or two\n"
    "         signed heads\n"
    "check    lets the image read and verify everything; changes nothing\n"
    "backup   copies it into one file, also while it serves\n"
    "restore  brings a backup back; with the owners' keys, so that clients accept it\n"
    "\n"
    "Each part explains itself with --help.\n";

static const char list_usage[] = "usage: cella vault list [--state FOLDER] [--json]\n"
                                 "\n"
                                 "Lists the vaults in a host's state folder.\n"
                                 "\n"
                                 "  --state FOLDER  the host's state folder ($XDG_STATE_HOME/cella or "
                                 "~/.local/state/cella)\n"
                                 "  --json          print JSON\n";

struct names {
    char **each;
    size_t count;
    bool failed;
};

static void add_name(struct names *names, const char *name) {
    char **larger = realloc(names->each, (names->count + 1) * sizeof *larger);
    char *copy = strdup(name);
    names->failed = names->failed || larger == NULL || copy == NULL;
    if (larger != NULL)
        names->each = larger;
    if (larger != NULL && copy != NULL)
        names->each[names->count++] = copy;
    else
        free(copy);
}

static int by_name(const void *first, const void *second) {
    return strcmp(*(char *const *)first, *(char *const *)second);
}

/* Names of enclaves have no dot; what is half-made or set aside has one. */
static enum cella_status find_names(const char *folder, struct names *names, struct cella_error *error) {
    DIR *opened = opendir(folder);
    if (opened == NULL)
        return errno == ENOENT
                   ? CELLA_OK
                   : cella_fail(error, CELLA_PERMISSION, "cannot list %s: %s", folder, strerror(errno));
    struct dirent *entry;
    while ((entry = readdir(opened)) != NULL)
        if (strchr(entry->d_name, '.') == NULL)
            add_name(names, entry->d_name);
    closedir(opened);
    if (names->count > 0)
        qsort(names->each, names->count, sizeof *names->each, by_name);
    return names->failed ? cella_fail(error, CELLA_NO_MEMORY, "no memory for the list") : CELLA_OK;
}

static json_t *row(const struct cli_vault *vault, const char *id) {
    return json_pack("{s:s, s:s?, s:b, s:I, s:I, s:I, s:s?}", "name", vault->name, "id",
                     vault->has_genesis ? id : NULL, "in_use", (int)vault->in_use, "epoch",
                     (json_int_t)vault->epoch, "version", (json_int_t)vault->version, "bytes",
                     (json_int_t)vault->bytes, "last_failure",
                     vault->failure.status == CELLA_OK ? NULL : cella_status_name(vault->failure.status));
}

static void print_row(const struct cli_vault *vault, const char *id) {
    cli_line(stdout, "%-20s %.16s  epoch %llu  version %llu  %llu KiB%s%s%s", vault->name,
             vault->has_genesis ? id : "(no genesis)    ", (unsigned long long)vault->epoch,
             (unsigned long long)vault->version, (unsigned long long)(vault->bytes + 1023) / 1024,
             vault->in_use ? "  in use" : "", vault->failure.status == CELLA_OK ? "" : "  last start: ",
             vault->failure.status == CELLA_OK ? "" : cella_status_name(vault->failure.status));
}

static enum cella_status list(const char *state, bool json, struct cella_error *error) {
    char folder[PATH_MAX], vaults[PATH_MAX + 8], path[2 * PATH_MAX];
    struct names names = {.each = NULL};
    json_t *rows = json_array();
    enum cella_status status = cli_state_folder(state, false, folder, error);
    (void)snprintf(vaults, sizeof vaults, "%s/vaults", folder);
    if (status == CELLA_OK)
        status = find_names(vaults, &names, error);
    for (size_t i = 0; i < names.count; i++) {
        struct cli_vault vault;
        char id[2 * CELLA_VAULT_ID_SIZE + 1];
        (void)snprintf(path, sizeof path, "%s/%s", vaults, names.each[i]);
        if (status == CELLA_OK && strlen(path) < PATH_MAX && cli_vault_look(path, &vault, NULL) == CELLA_OK) {
            cella_hex_encode(vault.vault_id, sizeof vault.vault_id, id);
            json_array_append_new(rows, row(&vault, id));
            if (!json)
                print_row(&vault, id);
        }
        free(names.each[i]);
    }
    free(names.each);
    if (status == CELLA_OK && json) {
        json_t *all = json_pack("{s:O}", "vaults", rows);
        json_dumpf(all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
        putchar('\n');
        json_decref(all);
    } else if (status == CELLA_OK && json_array_size(rows) == 0) {
        cli_say("there are no vaults in %s", vaults);
    }
    json_decref(rows);
    return status;
}

int cli_vault_list(int argc, char **argv) {
    static const struct option options[] = {{"state", required_argument, NULL, 's'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct cella_error error = {.message = ""};
    const char *state = NULL;
    bool json = false;
    int code;
    while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (code == 's')
            state = optarg;
        else if (code == 'j')
            json = true;
        else if (code == 'h') {
            fputs(list_usage, stdout);
            return 0;
        } else
            return cli_usage_option(list_usage, argv);
    }
    if (optind < argc)
        return cli_usage(list_usage, "\"%s\" is one argument too many", argv[optind]);
    enum cella_status status = list(state, json, &error);
    return status == CELLA_OK ? 0 : cli_fail(status, &error, NULL);
}

int cli_verb_vault(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } parts[] = {{"list", cli_vault_list},   {"show", cli_vault_show},     {"explain", cli_vault_explain},
                 {"check", cli_vault_check}, {"backup", cli_vault_backup}, {"restore", cli_vault_restore}};
    if (argc >= 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc < 2)
        return cli_usage(usage, "cella vault needs one of list, show, explain, check, backup, restore");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strcmp(parts[i].name, argv[1]) == 0)
            return parts[i].run(argc - 1, argv + 1);
    return cli_usage(usage, "cella vault has no part \"%s\"", argv[1]);
}
