/* cella mail: the client, and what it sends. Must not: make a client before it is known what it is to send.
 */
#include "base/error.h"
#include "base/hex.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "cli/place.h"
#include "cli/verb_mail.h"
#include "mail/format.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void print_key(const struct cella_client *client) {
    uint8_t key[CELLA_CLIENT_KEY_SIZE];
    char text[2 * CELLA_CLIENT_KEY_SIZE + 1];
    cella_client_public_key(client, key);
    cella_hex_encode(key, sizeof key, text);
    puts(text);
}

enum cella_status cli_mail_new_key(struct cli_mail *request, struct cella_error *error) {
    struct cella_client *client = NULL;
    if (request->dry_run) {
        if (access(request->client.state_path, F_OK) == 0)
            return cella_fail(error, CELLA_EXISTS, "%s exists and was left as it is",
                              request->client.state_path);
        cli_say("would make %s", request->client.state_path);
        return CELLA_OK;
    }
    enum cella_status status = cella_client_new(&request->client, &client, error);
    if (status == CELLA_NOT_FOUND)
        request->hint = "make the folder of --state first, or name another file";
    if (status == CELLA_OK)
        print_key(client);
    cella_client_free(client);
    return status;
}

enum cella_status cli_mail_open(struct cli_mail *request, struct cella_client **ret_client,
                                struct cella_error *error) {
    enum cella_status status = cella_client_open(&request->client, ret_client, error);
    if (status == CELLA_NOT_FOUND)
        request->hint = "name the client with --state, or make one: cella mail new-key --state FILE";
    return status;
}

enum cella_status cli_mail_key(struct cli_mail *request, struct cella_error *error) {
    struct cella_client *client = NULL;
    enum cella_status status = cli_mail_open(request, &client, error);
    if (status == CELLA_OK)
        print_key(client);
    cella_client_free(client);
    return status;
}

/* The client in the state file, made when it is missing and everything is given that it needs. */
static enum cella_status open_or_make(struct cli_mail *request, struct cella_client **ret_client,
                                      struct cella_error *error) {
    struct cella_client_options *client = &request->client;
    client->look_only = request->dry_run;
    enum cella_status status = cli_mail_open(request, ret_client, error);
    if (status != CELLA_NOT_FOUND || access(client->state_path, F_OK) == 0 ||
        (client->url == NULL && client->enclave == NULL && client->constraint == NULL))
        return status;
    request->hint = "a new client needs --url, --enclave and --constraint; check --state if it is not new";
    const char *missing = client->url == NULL          ? "--url"
                          : client->enclave == NULL    ? "--enclave"
                          : client->constraint == NULL ? "--constraint"
                                                       : NULL;
    if (missing != NULL)
        return cella_fail(error, CELLA_USAGE, "there is no client %s, and to make it %s is needed",
                          client->state_path, missing);
    struct cella_client_options made = *client;
    if (request->dry_run)
        made.state_path = NULL;
    status = cella_client_new(&made, ret_client, error);
    request->hint =
        status == CELLA_NOT_FOUND ? "make the folder of --state first, or name another file" : NULL;
    if (status == CELLA_OK)
        cli_say("%s the client %s with a new key", request->dry_run ? "would make" : "made",
                client->state_path);
    return status;
}

struct parts {
    uint8_t *body, *envelope;
    size_t body_size, envelope_size;
};

static void drop_parts(struct parts *parts) {
    cella_wipe_free(parts->body, parts->body_size);
    free(parts->envelope);
}

/* What is to be sent, before a client is made or opened for it. A dry run leaves standard input alone. */
static enum cella_status read_parts(struct cli_mail *request, struct parts *parts,
                                    struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    if (request->file != NULL || !request->dry_run)
        status = cli_read_body(request->file, CLI_MAIL_BODY_LIMIT, &parts->body, &parts->body_size, error);
    if (status == CELLA_NOT_FOUND)
        request->hint = "check the name of the file to send; without one standard input is sent";
    if (status != CELLA_OK || request->envelope_path == NULL)
        return status;
    status = cli_read_body(request->envelope_path, CELLA_MAIL_ENVELOPE_MAX, &parts->envelope,
                           &parts->envelope_size, error);
    if (status == CELLA_NOT_FOUND)
        request->hint = "check the name of the file after --envelope";
    return status;
}

static struct cella_client_request as_request(const struct cli_mail *request, const struct parts *parts) {
    return (struct cella_client_request){.topic = request->topic,
                                         .envelope = CELLA_BYTES(parts->envelope, parts->envelope_size),
                                         .body = CELLA_BYTES(parts->body, parts->body_size)};
}

static enum cella_status send_parts(struct cli_mail *request, struct cella_client *client,
                                    const struct parts *parts, struct cella_error *error) {
    bool replied = false;
    struct cella_client_mail reply = {.topic = NULL};
    struct cella_client_request mail = as_request(request, parts);
    enum cella_client_key key = request->mailbox ? CELLA_CLIENT_KEY_MAILBOX : CELLA_CLIENT_KEY_SESSION;
    enum cella_status status = request->one_shot || request->mailbox
                                   ? cella_client_send(client, key, &mail, &replied, &reply, error)
                                   : cella_client_request(client, &mail, &replied, &reply, error);
    if (status == CELLA_OK && replied)
        status = cli_write_body(CELLA_BYTES(reply.body, reply.body_size), error);
    else if (status == CELLA_OK)
        cli_say("the enclave took the request and sent no reply");
    if (status == CELLA_NOT_FOUND)
        request->hint = request->mailbox
                            ? "an enclave without a vault has no mailbox key: send without --mailbox"
                            : "the host runs no enclave of this name: check --enclave and --url";
    cella_client_mail_deinit(&reply);
    return status;
}

static enum cella_status attest_only(struct cli_mail *request, struct cella_client *client,
                                     struct cella_error *error) {
    enum cella_status status = cella_client_attest(client, NULL, error);
    if (status == CELLA_OK)
        cli_say("the instance satisfies the constraint; nothing was sent");
    if (status == CELLA_NOT_FOUND)
        request->hint = "the host runs no enclave of this name: check --enclave and --url";
    return status;
}

enum cella_status cli_mail_send(struct cli_mail *request, struct cella_error *error) {
    struct cella_client *client = NULL;
    struct parts parts = {.body = NULL};
    enum cella_status status = read_parts(request, &parts, error);
    if (status == CELLA_OK)
        status = open_or_make(request, &client, error);
    if (status == CELLA_OK)
        status = request->dry_run ? attest_only(request, client, error)
                                  : send_parts(request, client, &parts, error);
    if (status == CELLA_OK && !request->dry_run)
        status = cella_client_save(client, error);
    cella_client_free(client);
    drop_parts(&parts);
    return status;
}

/* Nothing is ever in doubt about a query: what the client learned by it is saved, whatever became of it. */
enum cella_status cli_mail_query(struct cli_mail *request, struct cella_error *error) {
    struct cella_client *client = NULL;
    struct parts parts = {.body = NULL};
    struct cella_client_mail reply = {.topic = NULL};
    bool replied = false;
    enum cella_status status = read_parts(request, &parts, error);
    if (status == CELLA_OK)
        status = open_or_make(request, &client, error);
    struct cella_client_request query = as_request(request, &parts);
    if (status == CELLA_OK)
        status = cella_client_query(client, &query, &replied, &reply, error);
    if (status == CELLA_OK && replied)
        status = cli_write_body(CELLA_BYTES(reply.body, reply.body_size), error);
    else if (status == CELLA_OK)
        cli_say("the enclave took the query and sent no answer");
    if (status == CELLA_OK)
        status = cella_client_save(client, error);
    cella_client_mail_deinit(&reply);
    cella_client_free(client);
    drop_parts(&parts);
    return status;
}

enum cella_status cli_mail_give_up(struct cli_mail *request, struct cella_error *error) {
    struct cella_client *client = NULL;
    enum cella_status status = cli_mail_open(request, &client, error);
    if (status == CELLA_OK) {
        status = cella_client_give_up(client, request->topic, error);
        if (status == CELLA_NOT_FOUND)
            request->hint = "nothing has to be given up; name another topic with --topic if you meant one";
    }
    cella_client_free(client);
    return status;
}
