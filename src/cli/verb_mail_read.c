/* cella mail: what a client has received and seen, for people and for programs. Must not: send. */
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "cli/cli.h"
#include "cli/place.h"
#include "cli/verb_mail.h"
#include "client/head_file.h"
#include "mail/format.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* Bodies are bytes: in JSON they are hex digits. */
static enum cella_status print_post(const struct cella_client_mail *mail, bool json,
                                    struct cella_error *error) {
    if (!json)
        return cli_write_body(CELLA_BYTES(mail->body, mail->body_size), error);
    char *body = malloc(2 * mail->body_size + 1), *envelope = malloc(2 * mail->envelope_size + 1);
    char *text = NULL;
    if (body != NULL && envelope != NULL) {
        cella_hex_encode(mail->body, mail->body_size, body);
        cella_hex_encode(mail->envelope, mail->envelope_size, envelope);
        json_t *object = json_pack("{s:s, s:I, s:s, s:s}", "topic", mail->topic, "sequence",
                                   (json_int_t)mail->sequence, "envelope", envelope, "body", body);
        text = json_dumps(object, JSON_COMPACT);
        json_decref(object);
    }
    free(body);
    free(envelope);
    if (text == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory to print a mail of %zu bytes", mail->body_size);
    puts(text);
    free(text);
    return CELLA_OK;
}

enum cella_status cli_mail_poll(struct cli_mail *request, struct cella_error *error) {
    struct cella_client *client = NULL;
    struct cella_client_mail mail = {.topic = NULL};
    bool arrived = false;
    enum cella_status status = cli_mail_open(request, &client, error);
    if (status == CELLA_OK)
        status = cella_client_poll(client, request->wait_ms, &arrived, &mail, error);
    if (status == CELLA_OK && !arrived)
        status = cella_fail(error, CELLA_UNAVAILABLE, "no post has come");
    if (status == CELLA_OK)
        status = print_post(&mail, request->json, error);
    /* Printed first: a post that is not saved is printed once more, not lost. */
    if (status == CELLA_OK)
        status = cella_client_save(client, error);
    cella_client_mail_deinit(&mail);
    cella_client_free(client);
    return status;
}

struct head_lines {
    char vault_id[2 * CELLA_VAULT_ID_SIZE + 1];
    char digest[2 * CELLA_DIGEST_SIZE + 1];
    char root[2 * CELLA_DIGEST_SIZE + 1];
};

static enum cella_status print_head(const struct cella_signed_head *head, bool json,
                                    struct cella_error *error) {
    struct head_lines lines;
    cella_hex_encode(head->vault_id, sizeof head->vault_id, lines.vault_id);
    cella_hex_encode(head->head.digest, sizeof head->head.digest, lines.digest);
    cella_hex_encode(head->root, sizeof head->root, lines.root);
    if (!json) {
        printf("vault    %s\nlineage  %" PRIu64 "\nepoch    %" PRIu64 "\nversion  %" PRIu64
               "\ndigest   %s\nroot     %s\n",
               lines.vault_id, head->lineage, head->head.epoch, head->head.version, lines.digest, lines.root);
        return CELLA_OK;
    }
    json_t *object = json_pack("{s:s, s:I, s:I, s:I, s:s, s:s}", "vault", lines.vault_id, "lineage",
                               (json_int_t)head->lineage, "epoch", (json_int_t)head->head.epoch, "version",
                               (json_int_t)head->head.version, "digest", lines.digest, "root", lines.root);
    if (object == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory to print a head");
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
    return CELLA_OK;
}

enum cella_status cli_mail_head(struct cli_mail *request, struct cella_error *error) {
    struct cella_client *client = NULL;
    struct cella_head_file file;
    uint8_t *data = NULL;
    size_t size = 0;
    request->client.look_only = true;
    enum cella_status status = cli_mail_open(request, &client, error);
    if (status == CELLA_OK)
        status = cella_client_head(client, &data, &size, error);
    if (status == CELLA_NO_VAULT)
        request->hint = "the enclave keeps no state, or this client has not spoken to it yet";
    if (status == CELLA_NOT_FOUND && client != NULL)
        request->hint = "the first answer of the enclave shows one: send it something";
    if (status == CELLA_OK && request->out_path != NULL)
        status = cella_file_create(request->out_path, CELLA_BYTES(data, size), CELLA_FILE_PUBLIC, error);
    if (status == CELLA_OK)
        status = cella_head_file_parse(CELLA_BYTES(data, size), &file, error);
    if (status == CELLA_OK)
        status = print_head(&file.head, request->json, error);
    free(data);
    cella_client_free(client);
    return status;
}

static json_t *describe(const struct cella_mail_shape *shape) {
    const struct cella_mail_header *header = &shape->header;
    char session[2 * CELLA_MAIL_SESSION_ID_SIZE + 1];
    cella_hex_encode(header->session_id, sizeof header->session_id, session);
    return json_pack("{s:s, s:s, s:s%, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "kind",
                     cella_mail_kind_name(header->kind), "role", cella_mail_role_name(header->role), "topic",
                     (const char *)header->topic.data, header->topic.size, "session", session, "number",
                     (json_int_t)header->number, "generation", (json_int_t)header->generation, "sequence",
                     (json_int_t)header->sequence, "birth", (json_int_t)header->birth, "envelope_bytes",
                     (json_int_t)header->envelope.size, "context_bytes", (json_int_t)header->context.size,
                     "packets", (json_int_t)shape->packet_count, "padded_bytes",
                     (json_int_t)shape->padded_size);
}

enum cella_status cli_mail_show(struct cli_mail *request, struct cella_error *error) {
    uint8_t *mail = NULL;
    size_t size = 0;
    struct cella_mail_shape shape;
    enum cella_status status = cli_read_body(request->file, CLI_MAIL_BODY_LIMIT, &mail, &size, error);
    if (status == CELLA_OK)
        status = cella_mail_inspect(CELLA_BYTES(mail, size), &shape, error);
    json_t *object = status == CELLA_OK ? describe(&shape) : NULL;
    if (status == CELLA_OK && object == NULL)
        status = cella_fail(error, CELLA_NO_MEMORY, "no memory to print a mail");
    if (object != NULL && request->json) {
        json_dumpf(object, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (object != NULL) {
        const char *key;
        json_t *value;
        puts("the clear part of a mail; without its key nobody can tell whether it is genuine");
        json_object_foreach(object, key, value) {
            if (json_is_string(value))
                printf("  %-15s %s\n", key, json_string_value(value));
            else
                printf("  %-15s %lld\n", key, json_integer_value(value));
        }
    }
    json_decref(object);
    free(mail);
    return status;
}
