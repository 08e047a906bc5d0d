/* cella vault backup: one file with a consistent copy of a vault. Must not: stop the vault, or overwrite
 * anything. */
#include "base/error.h"
#include "base/hex.h"
#include "cli/vault_place.h"
#include "host/backup.h"
#include <getopt.h>
#include <jansson.h>
#include <string.h>

static const char usage[] =
    "usage: cella vault backup VAULT FILE [--state FOLDER] [--dry-run] [--json]\n"
    "\n"
    "Copies a vault into one new file, also while it serves, and reads that back. It is sealed as\n"
    "the vault is: the file tells nothing and needs no key, but brings the vault back only on its\n"
    "own machine (cella vault restore).\n"
    "\n"
    "  --state FOLDER  the host's state folder ($XDG_STATE_HOME/cella or ~/.local/state/cella)\n"
    "  --dry-run       say what would be copied, write nothing\n"
    "  --json          print the result as JSON\n";

static int print(const struct cella_backup_facts *facts, const char *file, bool dry_run, bool json) {
    char id[2 * CELLA_SHA256_SIZE + 1];
    cella_hex_encode(facts->vault_id, sizeof facts->vault_id, id);
    if (json) {
        json_t *object = json_pack("{s:s, s:b, s:s?, s:I, s:I, s:I, s:I}", "file", file, "dry_run",
                                   (int)dry_run, "vault_id", dry_run ? NULL : id, "files",
                                   (json_int_t)facts->files, "bytes", (json_int_t)facts->bytes, "segments",
                                   (json_int_t)facts->segments, "snapshot", (json_int_t)facts->snapshot);
        json_dumpf(object, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
        putchar('\n');
        json_decref(object);
        return 0;
    }
    if (dry_run) {
        cli_say("would write %llu files with %llu bytes to %s", (unsigned long long)facts->files,
                (unsigned long long)facts->bytes, file);
        return 0;
    }
    cli_line(stdout, "backup      %s", file);
    cli_line(stdout, "vault       %s", id);
    cli_line(stdout, "holds       %llu files, %llu bytes, read back and found whole",
             (unsigned long long)facts->files, (unsigned long long)facts->bytes);
    return 0;
}

int cli_vault_backup(int argc, char **argv) {
    static const struct option table[] = {{"state", required_argument, NULL, 's'},
                                          {"dry-run", no_argument, NULL, 'n'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct cli_vault_options options = {.state = NULL};
    struct cella_backup_facts facts = {.files = 0};
    struct cella_error error = {.message = ""};
    char path[PATH_MAX];
    int code;
    while ((code = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (code == 's')
            options.state = optarg;
        else if (code == 'n')
            options.dry_run = true;
        else if (code == 'j')
            options.json = true;
        else if (code == 'h') {
            fputs(usage, stdout);
            return 0;
        } else
            return cli_usage_option(usage, argv);
    }
    if (argc - optind != 2)
        return cli_usage(usage, "name one vault and one file");
    const char *file = argv[optind + 1];
    enum cella_status status = cli_vault_path(options.state, argv[optind], path, &error);
    if (status == CELLA_OK)
        status = cella_backup_make(path, file, options.dry_run, &facts, &error);
    return status == CELLA_OK ? print(&facts, file, options.dry_run, options.json)
                              : cli_vault_fail(status, &error, NULL);
}
