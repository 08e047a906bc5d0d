/* cella mail: one client on the command line. Must not: put a key or a body anywhere but where it was told.
 */
#include "base/error.h"
#include "base/hex.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "cli/place.h"
#include "mail/format.h"
#include <cella/client.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: cella mail new-key --state FILE [--url URL --enclave NAME] [--constraint LINE]\n"
    "       cella mail key --state FILE\n"
    "       cella mail send --state FILE [--topic TOPIC] [--one-shot | --mailbox] [FILE]\n"
    "       cella mail poll --state FILE [--wait SECONDS]\n"
    "       cella mail give-up --state FILE [--topic TOPIC]\n"
    "       cella mail show FILE\n"
    "\n"
    "A client is one file, readable by its owner only: key, host, constraint, and what was said so far.\n"
    "Nothing is sent before the instance has proven that it satisfies the constraint.\n"
    "\n"
    "  new-key            make a client; prints its public key\n"
    "  key                print the public key\n"
    "  send               send FILE (standard input) as one request, print the reply\n"
    "  poll               print the next post; exit code 7 if none came\n"
    "  give-up            forget the unanswered request of a topic\n"
    "  show               explain a sealed mail's clear part\n"
    "\n"
    "  --state FILE       the client; send makes it if it is missing\n"
    "  --url URL          of the host, https://host:7700   } kept in the client; given\n"
    "  --enclave NAME     the enclave's name there         } again they replace what is\n"
    "  --constraint LINE  which instances are acceptable   } kept, once one passed them\n"
    "  --ca FILE          certificates (PEM) that the host's TLS must chain to\n"
    "  --topic TOPIC      1 to 255 letters, digits and '-' (default)\n"
    "  --envelope FILE    bytes that the host may read too\n"
    "  --one-shot         no session: weaker forward secrecy\n"
    "  --mailbox          one-shot to the mailbox key, for an enclave that may be asleep\n"
    "  --empty-first      prove the instance's fresh key before anything of the request leaves\n"
    "  --no-padding       do not hide the body's exact size\n"
    "  --wait SECONDS     how long poll waits for a post, 0 to 60 (0)\n"
    "  --json             print as JSON (poll, show)\n"
    "  --dry-run          attest and check; send, make and change nothing (send, new-key)\n";

#define BODY_LIMIT ((size_t)64 << 20)

enum option_code {
    OPTION_STATE = 256,
    OPTION_URL,
    OPTION_ENCLAVE,
    OPTION_CONSTRAINT,
    OPTION_CA,
    OPTION_TOPIC,
    OPTION_ENVELOPE,
    OPTION_ONE_SHOT,
    OPTION_MAILBOX,
    OPTION_EMPTY_FIRST,
    OPTION_NO_PADDING,
    OPTION_WAIT,
    OPTION_JSON,
    OPTION_DRY_RUN,
    OPTION_HELP
};

static const struct option options[] = {{"state", required_argument, NULL, OPTION_STATE},
                                        {"url", required_argument, NULL, OPTION_URL},
                                        {"enclave", required_argument, NULL, OPTION_ENCLAVE},
                                        {"constraint", required_argument, NULL, OPTION_CONSTRAINT},
                                        {"ca", required_argument, NULL, OPTION_CA},
                                        {"topic", required_argument, NULL, OPTION_TOPIC},
                                        {"envelope", required_argument, NULL, OPTION_ENVELOPE},
                                        {"one-shot", no_argument, NULL, OPTION_ONE_SHOT},
                                        {"mailbox", no_argument, NULL, OPTION_MAILBOX},
                                        {"empty-first", no_argument, NULL, OPTION_EMPTY_FIRST},
                                        {"no-padding", no_argument, NULL, OPTION_NO_PADDING},
                                        {"wait", required_argument, NULL, OPTION_WAIT},
                                        {"json", no_argument, NULL, OPTION_JSON},
                                        {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
                                        {"help", no_argument, NULL, OPTION_HELP},
                                        {NULL, 0, NULL, 0}};

struct request {
    struct cella_client_options client;
    const char *topic;
    const char *envelope_path;
    const char *file; /* NULL: standard input */
    bool one_shot;
    bool mailbox;
    unsigned wait_ms;
    bool json;
    bool dry_run;
    const char *hint; /* what helps with the failure; NULL: what the status says */
};

static bool take_option(struct request *request, int code, const char *value) {
    uint64_t seconds = 0;
    switch (code) {
    case OPTION_STATE:
        request->client.state_path = value;
        return true;
    case OPTION_URL:
        request->client.url = value;
        return true;
    case OPTION_ENCLAVE:
        request->client.enclave = value;
        return true;
    case OPTION_CONSTRAINT:
        request->client.constraint = value;
        return true;
    case OPTION_CA:
        request->client.ca_path = value;
        return true;
    case OPTION_TOPIC:
        request->topic = value;
        return cella_mail_topic_valid(CELLA_BYTES(value, strlen(value)));
    case OPTION_ENVELOPE:
        request->envelope_path = value;
        return true;
    case OPTION_ONE_SHOT:
        return request->one_shot = true;
    case OPTION_MAILBOX:
        return request->mailbox = true;
    case OPTION_EMPTY_FIRST:
        return request->client.empty_first_message = true;
    case OPTION_NO_PADDING:
        return request->client.no_padding = true;
    case OPTION_WAIT:
        if (!cli_read_number(value, 0, 60, &seconds))
            return false;
        request->wait_ms = (unsigned)seconds * 1000;
        return true;
    case OPTION_JSON:
        return request->json = true;
    default:
        return request->dry_run = true;
    }
}

static void print_key(const struct cella_client *client) {
    uint8_t key[CELLA_CLIENT_KEY_SIZE];
    char text[2 * CELLA_CLIENT_KEY_SIZE + 1];
    cella_client_public_key(client, key);
    cella_hex_encode(key, sizeof key, text);
    puts(text);
}

static enum cella_status make_key(struct request *request, struct cella_error *error) {
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

static enum cella_status open_client(struct request *request, struct cella_client **ret_client,
                                     struct cella_error *error) {
    enum cella_status status = cella_client_open(&request->client, ret_client, error);
    if (status == CELLA_NOT_FOUND)
        request->hint = "name the client with --state, or make one: cella mail new-key --state FILE";
    return status;
}

static enum cella_status show_key(struct request *request, struct cella_error *error) {
    struct cella_client *client = NULL;
    enum cella_status status = open_client(request, &client, error);
    if (status == CELLA_OK)
        print_key(client);
    cella_client_free(client);
    return status;
}

/* The client in the state file, made when it is missing and everything is given that it needs. */
static enum cella_status open_or_make(struct request *request, struct cella_client **ret_client,
                                      struct cella_error *error) {
    struct cella_client_options *client = &request->client;
    client->look_only = request->dry_run;
    enum cella_status status = open_client(request, ret_client, error);
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
static enum cella_status read_parts(struct request *request, struct parts *parts, struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    if (request->file != NULL || !request->dry_run)
        status = cli_read_body(request->file, BODY_LIMIT, &parts->body, &parts->body_size, error);
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

static enum cella_status send_parts(struct request *request, struct cella_client *client,
                                    const struct parts *parts, struct cella_error *error) {
    bool replied = false;
    struct cella_client_mail reply = {.topic = NULL};
    struct cella_client_request mail = {.topic = request->topic,
                                        .envelope = CELLA_BYTES(parts->envelope, parts->envelope_size),
                                        .body = CELLA_BYTES(parts->body, parts->body_size)};
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

static enum cella_status attest_only(struct request *request, struct cella_client *client,
                                     struct cella_error *error) {
    enum cella_status status = cella_client_attest(client, NULL, error);
    if (status == CELLA_OK)
        cli_say("the instance satisfies the constraint; nothing was sent");
    if (status == CELLA_NOT_FOUND)
        request->hint = "the host runs no enclave of this name: check --enclave and --url";
    return status;
}

static enum cella_status send_request(struct request *request, struct cella_error *error) {
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

static enum cella_status poll_post(struct request *request, struct cella_error *error) {
    struct cella_client *client = NULL;
    struct cella_client_mail mail = {.topic = NULL};
    bool arrived = false;
    enum cella_status status = open_client(request, &client, error);
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

static enum cella_status give_up(struct request *request, struct cella_error *error) {
    struct cella_client *client = NULL;
    enum cella_status status = open_client(request, &client, error);
    if (status == CELLA_OK) {
        status = cella_client_give_up(client, request->topic, error);
        if (status == CELLA_NOT_FOUND)
            request->hint = "nothing has to be given up; name another topic with --topic if you meant one";
    }
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

static enum cella_status show_mail(struct request *request, struct cella_error *error) {
    uint8_t *mail = NULL;
    size_t size = 0;
    struct cella_mail_shape shape;
    enum cella_status status = cli_read_body(request->file, BODY_LIMIT, &mail, &size, error);
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

static const struct action {
    const char *name;
    bool needs_state;
    bool takes_file;
    bool takes_json;
    bool takes_dry_run;
    enum cella_status (*run)(struct request *request, struct cella_error *error);
} actions[] = {
    {"new-key", true, false, false, true, make_key}, {"key", true, false, false, false, show_key},
    {"send", true, true, false, true, send_request}, {"poll", true, false, true, false, poll_post},
    {"give-up", true, false, false, false, give_up}, {"show", false, true, true, false, show_mail},
};

static const char *hint_for(enum cella_status status, const struct request *request) {
    if (request->hint != NULL)
        return request->hint;
    if (status == CELLA_CLIENT_PENDING)
        return "send the earlier request again, or: cella mail give-up --state FILE --topic TOPIC";
    if (status == CELLA_MAIL_NAME_USED)
        return "send it again: it then goes under a new name";
    return NULL;
}

static const char *allowed_for(int code) {
    return code == OPTION_TOPIC ? "1 to 255 letters, digits and '-'" : "a number of seconds from 0 to 60";
}

static int act(const struct action *action, int argc, char **argv, struct request *request) {
    struct cella_error error = {.status = CELLA_OK};
    if (argc - optind > (action->takes_file ? 1 : 0))
        return cli_usage(usage, "\"%s\" is one argument too many", argv[argc - 1]);
    if (action->needs_state && request->client.state_path == NULL)
        return cli_usage(usage, "--state is needed");
    if (request->json && !action->takes_json)
        return cli_usage(usage, "%s does not take --json", action->name);
    if (request->dry_run && !action->takes_dry_run)
        return cli_usage(usage, "%s does not take --dry-run", action->name);
    if (optind < argc)
        request->file = argv[optind];
    enum cella_status status = action->run(request, &error);
    return status == CELLA_OK ? 0 : cli_fail(status, &error, hint_for(status, request));
}

int cli_verb_mail(int argc, char **argv) {
    struct request request = {.topic = NULL};
    const struct action *action = NULL;
    int code;
    for (size_t i = 0; argc > 1 && i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(argv[1], actions[i].name) == 0)
            action = &actions[i];
    if (action != NULL)
        optind = 2;
    while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (code == OPTION_HELP) {
            fputs(usage, stdout);
            return 0;
        }
        if (code == '?' || code == ':')
            return cli_usage_option(usage, argv);
        if (!take_option(&request, code, optarg))
            return cli_usage_value(usage, options, code, optarg, allowed_for(code));
    }
    if (action == NULL)
        return cli_usage(usage, "say what to do: new-key, key, send, poll, give-up or show");
    return act(action, argc, argv, &request);
}
