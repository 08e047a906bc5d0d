/* What the parts of `cella mail` share: what the command line asks for, and the client that does it. */
#ifndef CELLA_CLI_VERB_MAIL_H
#define CELLA_CLI_VERB_MAIL_H

#include <cella/client.h>

#define CLI_MAIL_BODY_LIMIT ((size_t)64 << 20)

struct cli_mail {
    struct cella_client_options client;
    const char *topic;
    const char *envelope_path;
    const char *out_path;
    const char *file; /* NULL: standard input */
    bool one_shot;
    bool mailbox;
    unsigned wait_ms;
    bool json;
    bool dry_run;
    const char *hint; /* what helps with the failure; NULL: what the status says */
};

/* The client in the state file. */
enum cella_status cli_mail_open(struct cli_mail *request, struct cella_client **ret_client,
                                struct cella_error *error);

/* The parts, by their names on the command line. */
enum cella_status cli_mail_new_key(struct cli_mail *request, struct cella_error *error);
enum cella_status cli_mail_key(struct cli_mail *request, struct cella_error *error);
enum cella_status cli_mail_send(struct cli_mail *request, struct cella_error *error);
enum cella_status cli_mail_query(struct cli_mail *request, struct cella_error *error);
enum cella_status cli_mail_poll(struct cli_mail *request, struct cella_error *error);
enum cella_status cli_mail_give_up(struct cli_mail *request, struct cella_error *error);
enum cella_status cli_mail_head(struct cli_mail *request, struct cella_error *error);
enum cella_status cli_mail_show(struct cli_mail *request, struct cella_error *error);

#endif
