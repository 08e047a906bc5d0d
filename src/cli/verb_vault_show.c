/* cella vault show and check: what a vault's clear parts say, and what its image says. Must not: change
 * anything. */
#include "base/calendar.h"
#include "base/error.h"
#include "base/hex.h"
#include "cli/vault_place.h"
#include "state/report.h"
#include <getopt.h>
#include <jansson.h>
#include <string.h>

static const char show_usage[] =
    "usage: cella vault show VAULT [--state FOLDER] [--json]\n"
    "\n"
    "Shows what the clear parts of a vault's files say. Nothing of it is proven: only the vault's\n"
    "image can do that (cella vault check).\n"
    "\n"
    "  --state FOLDER  the host's state folder ($XDG_STATE_HOME/cella or ~/.local/state/cella)\n"
    "  --json          print JSON\n";

static const char check_usage[] =
    "usage: cella vault check VAULT --image FILE [--machine FOLDER] [--state FOLDER] [--json]\n"
    "\n"
    "Starts the image, lets it read and verify all of the vault, and prints what it found. Takes\n"
    "no epoch and changes nothing; the vault must not be in use.\n"
    "\n"
    "  --image FILE      the image that the vault belongs to\n"
    "  --machine FOLDER  the machine (FOLDER/machine of the state folder)\n"
    "  --state FOLDER    the host's state folder ($XDG_STATE_HOME/cella or ~/.local/state/cella)\n"
    "  --json            print JSON\n";

static const struct option table[] = {
    {"state", required_argument, NULL, 's'},   {"image", required_argument, NULL, 'i'},
    {"machine", required_argument, NULL, 'm'}, {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};

/* Returns -1 to go on, or the exit code. */
static int parse(int argc, char **argv, const char *usage, struct cli_vault_options *options) {
    int code;
    while ((code = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (code == 's')
            options->state = optarg;
        else if (code == 'i')
            options->image = optarg;
        else if (code == 'm')
            options->machine = optarg;
        else if (code == 'j')
            options->json = true;
        else if (code == 'h') {
            fputs(usage, stdout);
            return 0;
        } else
            return cli_usage_option(usage, argv);
    }
    return argc - optind == 1 ? -1 : cli_usage(usage, "name one vault");
}

static json_t *number(uint64_t value) {
    return json_integer((json_int_t)value);
}

static void print_json(json_t *object) {
    json_dumpf(object, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    putchar('\n');
    json_decref(object);
}

static json_t *show_owners(const struct cella_genesis *genesis) {
    json_t *owners = json_array();
    for (unsigned i = 0; i < genesis->owner_count; i++) {
        char text[2 * CELLA_ED25519_PUBLIC_SIZE + 1];
        cella_hex_encode(genesis->owners[i], CELLA_ED25519_PUBLIC_SIZE, text);
        json_array_append_new(owners, json_string(text));
    }
    return owners;
}

static void show_json(const struct cli_vault *vault, const char *id) {
    json_t *object =
        json_pack("{s:s, s:s, s:b}", "name", vault->name, "path", vault->path, "in_use", (int)vault->in_use);
    if (vault->has_genesis) {
        json_object_set_new(object, "id", json_string(id));
        json_object_set_new(object, "kind", json_string(cli_vault_kind(&vault->genesis)));
        json_object_set_new(object, "owners", show_owners(&vault->genesis));
        json_object_set_new(object, "owner_threshold", number(vault->genesis.owner_threshold));
    }
    json_object_set_new(object, "lineage", number(vault->lineage));
    json_object_set_new(object, "epoch", number(vault->epoch));
    json_object_set_new(object, "version", number(vault->version));
    json_object_set_new(object, "changed_at", number((uint64_t)vault->changed_at));
    json_object_set_new(object, "segments", number(vault->segments));
    json_object_set_new(object, "segment_bytes", number(vault->segment_bytes));
    json_object_set_new(object, "snapshot", number(vault->snapshot));
    json_object_set_new(object, "history_bytes", number(vault->history_bytes));
    json_object_set_new(object, "evidence", number(vault->evidence));
    json_object_set_new(object, "restore_waits", json_boolean(vault->has_restore));
    if (vault->failure.status != CELLA_OK) {
        json_object_set_new(object, "last_failure", json_string(cella_status_name(vault->failure.status)));
        json_object_set_new(object, "last_failure_at", number((uint64_t)vault->failure.time));
        json_t *message = json_string(vault->failure.message);
        json_object_set_new(object, "last_failure_message", message != NULL ? message : json_string(""));
    }
    print_json(object);
}

static void show_text(const struct cli_vault *vault, const char *id) {
    char time[CELLA_CALENDAR_TEXT_SIZE];
    cli_line(stdout, "vault       %s%s", vault->name, vault->in_use ? " (in use)" : "");
    cli_line(stdout, "folder      %s", vault->path);
    cli_line(stdout, "id          %s",
             vault->has_genesis ? id : "none: there is no genesis that can be read");
    if (vault->has_genesis) {
        cli_line(stdout, "kind        %s", cli_vault_kind(&vault->genesis));
        if (vault->genesis.owner_count == 0)
            cli_line(stdout, "owners      none: nobody can authorise a restore");
        else
            cli_line(stdout, "owners      %u, of whom %u must sign a restore", vault->genesis.owner_count,
                     vault->genesis.owner_threshold);
    }
    cella_calendar_print(vault->changed_at, time);
    if (vault->version > 0)
        cli_line(stdout, "newest      version %llu, epoch %llu, lineage %llu (%s; not proven)",
                 (unsigned long long)vault->version, (unsigned long long)vault->epoch,
                 (unsigned long long)vault->lineage, time);
    cli_line(stdout, "journal     %llu segments, %llu to %llu, %llu bytes",
             (unsigned long long)vault->segments, (unsigned long long)vault->first_segment,
             (unsigned long long)vault->last_segment, (unsigned long long)vault->segment_bytes);
    if (vault->snapshots > 0)
        cli_line(stdout, "snapshot    of version %llu", (unsigned long long)vault->snapshot);
    if (vault->evidence > 0)
        cli_line(stdout, "evidence    %llu proofs of a fork: cella vault explain %s",
                 (unsigned long long)vault->evidence, vault->name);
    if (vault->has_restore)
        cli_line(stdout, "restore     waits for the next start: cella vault explain %s/restore", vault->path);
    if (vault->failure.status != CELLA_OK) {
        cella_calendar_print(vault->failure.time, time);
        cli_line(stdout, "last start  failed %s [%s]: %s", time, cella_status_name(vault->failure.status),
                 vault->failure.message);
    }
}

int cli_vault_show(int argc, char **argv) {
    struct cli_vault_options options = {.state = NULL};
    struct cella_error error = {.message = ""};
    struct cli_vault vault;
    char path[PATH_MAX], id[2 * CELLA_VAULT_ID_SIZE + 1];
    int code = parse(argc, argv, show_usage, &options);
    if (code >= 0)
        return code;
    if (options.image != NULL || options.machine != NULL)
        return cli_usage(show_usage, "cella vault show takes no image and no machine");
    enum cella_status status = cli_vault_path(options.state, argv[optind], path, &error);
    if (status == CELLA_OK)
        status = cli_vault_look(path, &vault, &error);
    if (status != CELLA_OK)
        return cli_fail(status, &error, "cella vault list names the vaults that there are");
    cella_hex_encode(vault.vault_id, sizeof vault.vault_id, id);
    if (options.json)
        show_json(&vault, id);
    else
        show_text(&vault, id);
    return 0;
}

static void check_json(enum cella_status status, const struct cella_vault_report *report, const char *id) {
    json_t *object = json_pack("{s:s, s:s}", "status", cella_status_name(status), "id", id);
    json_object_set_new(object, "lineage", number(report->lineage));
    json_object_set_new(object, "epoch", number(report->found.epoch));
    json_object_set_new(object, "version", number(report->found.version));
    json_object_set_new(object, "register_epoch", number(report->register_epoch));
    json_object_set_new(object, "snapshot_version", number(report->snapshot_version));
    json_object_set_new(object, "records", number(report->records));
    json_object_set_new(object, "dropped_records", number(report->dropped_records));
    json_object_set_new(object, "torn_bytes", number(report->torn_bytes));
    json_object_set_new(object, "keys", number(report->keys));
    json_object_set_new(object, "state_bytes", number(report->state_size));
    json_object_set_new(object, "freshness_known", json_boolean(report->freshness_known));
    json_object_set_new(object, "outdated_keys", json_boolean(report->outdated_keys));
    json_object_set_new(object, "stopped", json_boolean(report->stopped));
    print_json(object);
}

static void check_text(const struct cella_vault_report *report, const char *id) {
    cli_line(stdout, "vault       %s", id);
    cli_line(stdout, "head        version %llu, epoch %llu, lineage %llu",
             (unsigned long long)report->found.version, (unsigned long long)report->found.epoch,
             (unsigned long long)report->lineage);
    cli_line(stdout, "register    epoch %llu", (unsigned long long)report->register_epoch);
    cli_line(stdout, "read        snapshot of version %llu, %llu records, %llu dropped, %llu torn bytes",
             (unsigned long long)report->snapshot_version, (unsigned long long)report->records,
             (unsigned long long)report->dropped_records, (unsigned long long)report->torn_bytes);
    cli_line(stdout, "state       %llu keys, %llu bytes", (unsigned long long)report->keys,
             (unsigned long long)report->state_size);
    if (!report->freshness_known)
        cli_line(stdout, "weak        the machine's counter guards the epoch; rollback within it is detected "
                         "by clients only");
    if (report->outdated_keys)
        cli_line(stdout, "keys        of an older platform or security version; the next start seals anew");
}

int cli_vault_check(int argc, char **argv) {
    struct cli_vault_options options = {.state = NULL};
    struct cella_error error = {.message = ""};
    struct cella_vault_report report = {.lineage = 0};
    char path[PATH_MAX], id[2 * CELLA_VAULT_ID_SIZE + 1];
    int code = parse(argc, argv, check_usage, &options);
    if (code >= 0)
        return code;
    if (options.image == NULL)
        return cli_usage(check_usage, "name the vault's image with --image");
    enum cella_status status = cli_vault_path(options.state, argv[optind], path, &error);
    if (status == CELLA_OK)
        status = cli_vault_run_check(&options, path, &report, &error);
    cella_hex_encode(report.vault_id, sizeof report.vault_id, id);
    if (options.json)
        check_json(status, &report, id);
    else if (status == CELLA_OK)
        check_text(&report, id);
    if (status == CELLA_OK)
        return 0;
    return cli_vault_fail(status, &error, &report);
}
