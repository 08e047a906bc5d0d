/* A vault's folder as the verbs see it from outside: what its clear parts say, and what the last host left
 * beside it. Must not: change anything, or take for proven what only an enclave can verify. */
#ifndef CELLA_CLI_VAULT_PLACE_H
#define CELLA_CLI_VAULT_PLACE_H

#include "cli/cli.h"
#include "host/disk.h"
#include "state/genesis.h"
#include <limits.h>

/* Why the last start on it failed, as its host kept it. */
struct cli_vault_failure {
    enum cella_status status; /* CELLA_OK: nothing is known of one */
    int64_t time;
    char message[512];
};

struct cli_vault {
    char name[NAME_MAX + 1];
    char path[PATH_MAX];
    bool in_use; /* some process has it open */
    bool has_genesis;
    struct cella_genesis genesis;
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    uint64_t bytes;
    uint64_t segments, first_segment, last_segment, segment_bytes;
    uint64_t snapshots, snapshot; /* version of the newest */
    uint64_t history_bytes;
    uint64_t evidence, last_evidence;
    bool has_restore;
    /* The newest record that its clear header tells of, unproven: 0 if there is none. */
    uint64_t lineage, epoch, version;
    int64_t changed_at; /* Unix time of the newest segment's file */
    struct cli_vault_failure failure;
};

/* Where `what` leads: a name below STATE/vaults, or with a '/' in it the path of a vault's folder. */
enum cella_status cli_vault_path(const char *state, const char *what, char ret_path[PATH_MAX],
                                 struct cella_error *error);
/* Looks at it. CELLA_NOT_FOUND: there is no such folder. */
enum cella_status cli_vault_look(const char *path, struct cli_vault *ret_vault, struct cella_error *error);
/* Reads one of its files, whole; the caller frees. */
enum cella_status cli_vault_read(const char *path, const char *name, size_t limit, uint8_t **ret_data,
                                 size_t *ret_size, struct cella_error *error);

/* "machine": one machine's counter owns it. */
const char *cli_vault_kind(const struct cella_genesis *genesis);
/* Likely cause of a failure to open, one sentence without its end. */
const char *cli_vault_cause(enum cella_status status);

/* As cli_fail, with what the bytes and the register say (`report` may be NULL) and the likely cause between
 * the error and the hint. */
struct cella_vault_report;
int cli_vault_fail(enum cella_status status, const struct cella_error *error,
                   const struct cella_vault_report *report);

/* Options that the parts of `cella vault` share. */
struct cli_vault_options {
    const char *state, *image, *machine;
    bool json, dry_run;
};
/* Parts; argv[0] is the part's name. */
int cli_vault_list(int argc, char **argv);
int cli_vault_show(int argc, char **argv);
int cli_vault_explain(int argc, char **argv);
int cli_vault_check(int argc, char **argv);
int cli_vault_backup(int argc, char **argv);
int cli_vault_restore(int argc, char **argv);

/* Starts the image on the machine (NULL: STATE/machine) to check the vault in the folder. */
enum cella_status cli_vault_run_check(const struct cli_vault_options *options, const char *path,
                                      struct cella_vault_report *ret_report, struct cella_error *error);

#endif
