/* cella mail: one client on the command line. Must not: put a key or a body anywhere but where it was told.
 */
#include "cli/verb_mail.h"
#include "cli/cli.h"
#include "cli/place.h"
#include "mail/format.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: cella mail new-key --state FILE [--url URL --enclave NAME] [--constraint LINE]\n"
    "       cella mail key --state FILE\n"
    "       cella mail send --state FILE [--topic TOPIC] [--one-shot | --mailbox] [FILE]\n"
    "       cella mail query --state FILE [--topic TOPIC] [FILE]\n"
    "       cella mail poll --state FILE [--wait SECONDS]\n"
    "       cella mail give-up --state FILE [--topic TOPIC]\n"
    "       cella mail head --state FILE [--out FILE]\n"
    "       cella mail show FILE\n"
    "\n"
    "A client is one file, readable by its owner only: key, host, constraint, and what was said so far.\n"
    "Nothing is sent before the instance has proven that it satisfies the constraint.\n"
    "\n"
    "  new-key            make a client; prints its public key\n"
    "  key                print the public key\n"
    "  send               send FILE (standard input) as one request, print the reply\n"
    "  query              ask a question that changes nothing, print the answer\n"
    "  poll               print the next post; exit code 7 if none came\n"
    "  give-up            forget the unanswered request of a topic\n"
    "  head               print the newest state of the vault that this client has seen\n"
    "  show               explain a sealed mail's clear part\n"
    "\n"
    "  --state FILE       the client; send and query make it if it is missing\n"
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
    "  --out FILE         write the head to a new file, for cella vault explain (head)\n"
    "  --json             print as JSON (poll, head, show)\n"
    "  --dry-run          attest and check; send, make and change nothing (send, new-key)\n";

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
    OPTION_OUT,
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
                                        {"out", required_argument, NULL, OPTION_OUT},
                                        {"json", no_argument, NULL, OPTION_JSON},
                                        {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
                                        {"help", no_argument, NULL, OPTION_HELP},
                                        {NULL, 0, NULL, 0}};

static bool take_option(struct cli_mail *request, int code, const char *value) {
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
    case OPTION_OUT:
        request->out_path = value;
        return true;
    case OPTION_JSON:
        return request->json = true;
    default:
        return request->dry_run = true;
    }
}

static const struct action {
    const char *name;
    bool needs_state;
    bool takes_file;
    bool takes_json;
    bool takes_dry_run;
    enum cella_status (*run)(struct cli_mail *request, struct cella_error *error);
} actions[] = {
    {"new-key", true, false, false, true, cli_mail_new_key},
    {"key", true, false, false, false, cli_mail_key},
    {"send", true, true, false, true, cli_mail_send},
    {"query", true, true, false, false, cli_mail_query},
    {"poll", true, false, true, false, cli_mail_poll},
    {"give-up", true, false, false, false, cli_mail_give_up},
    {"head", true, false, true, false, cli_mail_head},
    {"show", false, true, true, false, cli_mail_show},
};

static const char *hint_for(enum cella_status status, const struct cli_mail *request) {
    if (request->hint != NULL)
        return request->hint;
    if (status == CELLA_CLIENT_PENDING)
        return "send the earlier request again, or: cella mail give-up --state FILE --topic TOPIC";
    if (status == CELLA_MAIL_NAME_USED)
        return "send it again: it then goes under a new name";
    if (status == CELLA_VAULT_FORK)
        return "cella vault explain FILE, with the evidence that is named above, says what was done";
    return NULL;
}

static const char *allowed_for(int code) {
    return code == OPTION_TOPIC ? "1 to 255 letters, digits and '-'" : "a number of seconds from 0 to 60";
}

static int act(const struct action *action, int argc, char **argv, struct cli_mail *request) {
    struct cella_error error = {.status = CELLA_OK};
    if (argc - optind > (action->takes_file ? 1 : 0))
        return cli_usage(usage, "\"%s\" is one argument too many", argv[argc - 1]);
    if (action->needs_state && request->client.state_path == NULL)
        return cli_usage(usage, "--state is needed");
    if (request->json && !action->takes_json)
        return cli_usage(usage, "%s does not take --json", action->name);
    if (request->out_path != NULL && action->run != cli_mail_head)
        return cli_usage(usage, "%s does not take --out", action->name);
    if (request->dry_run && !action->takes_dry_run)
        return cli_usage(usage, "%s does not take --dry-run", action->name);
    if (optind < argc)
        request->file = argv[optind];
    enum cella_status status = action->run(request, &error);
    return status == CELLA_OK ? 0 : cli_fail(status, &error, hint_for(status, request));
}

int cli_verb_mail(int argc, char **argv) {
    struct cli_mail request = {.topic = NULL};
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
        return cli_usage(usage, "say what to do: new-key, key, send, query, poll, give-up, head or show");
    return act(action, argc, argv, &request);
}
