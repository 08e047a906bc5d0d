/* cella host: the daemon that runs enclaves and carries their mail. Must not: print a secret. */
#include "cli/cli.h"
#include "cli/place.h"
#include "cli/serve.h"
#include "base/error.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char usage[] =
    "usage: cella host [--state FOLDER] [--image NAME=FILE]... [--machine FOLDER] [OPTIONS]\n"
    "\n"
    "Runs enclaves and serves them over HTTP until SIGTERM or SIGINT; a second signal kills.\n"
    "The host is not trusted by its clients, and sees their mail only as bytes.\n"
    "\n"
    "  --state FOLDER           the operator's token and the URL are kept here\n"
    "                           ($XDG_STATE_HOME/cella or ~/.local/state/cella); made if absent\n"
    "  --image NAME=FILE        start this image under this name; repeatable\n"
    "  --machine FOLDER         the machine that runs them (FOLDER/machine of the state folder)\n"
    "  --listen ADDRESS:PORT    where to listen (127.0.0.1:7700); port 0 is any free one\n"
    "  --tls-certificate FILE   PEM chain; with --tls-key the host speaks TLS only\n"
    "  --tls-key FILE           PEM, readable by its owner only\n"
    "  --operator-remote        take operators' calls from other computers too (needs TLS)\n"
    "  --restart[=N]            start an instance again that ended by itself, N times an hour (5)\n"
    "  --body-limit BYTES       the largest body of a request (68157440)\n"
    "  --connections N          open connections (1024)\n"
    "  --connections-per-address N   of those from one address (256)\n"
    "  --log text|json          form of the log on standard error\n"
    "  --log-level LEVEL        debug, info, warning or error (info)\n"
    "  --dry-run                check options, images, TLS and the address; start nothing\n";

enum option_code {
    OPTION_STATE = 256,
    OPTION_IMAGE,
    OPTION_MACHINE,
    OPTION_LISTEN,
    OPTION_CERTIFICATE,
    OPTION_KEY,
    OPTION_REMOTE,
    OPTION_RESTART,
    OPTION_BODY_LIMIT,
    OPTION_CONNECTIONS,
    OPTION_PER_ADDRESS,
    OPTION_LOG,
    OPTION_LOG_LEVEL,
    OPTION_DRY_RUN,
    OPTION_HELP
};

static const struct option options[] = {
    {"state", required_argument, NULL, OPTION_STATE},
    {"image", required_argument, NULL, OPTION_IMAGE},
    {"machine", required_argument, NULL, OPTION_MACHINE},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"tls-certificate", required_argument, NULL, OPTION_CERTIFICATE},
    {"tls-key", required_argument, NULL, OPTION_KEY},
    {"operator-remote", no_argument, NULL, OPTION_REMOTE},
    {"restart", optional_argument, NULL, OPTION_RESTART},
    {"body-limit", required_argument, NULL, OPTION_BODY_LIMIT},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"connections-per-address", required_argument, NULL, OPTION_PER_ADDRESS},
    {"log", required_argument, NULL, OPTION_LOG},
    {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0}};

#define IMAGE_LIMIT 64

struct image {
    char name[CELLA_HOST_NAME_LIMIT + 1];
    const char *path;
};

struct request {
    struct cli_serve_options serve;
    const char *state;
    char folder[PATH_MAX]; /* the state folder */
    const char *machine;
    struct image images[IMAGE_LIMIT];
    size_t image_count;
    const char *twice; /* a name that two images were given, or NULL */
    bool dry_run;
};

static bool take_image(struct request *request, const char *text) {
    const char *mark = strchr(text, '=');
    if (mark == NULL || mark[1] == '\0' || request->image_count == IMAGE_LIMIT ||
        (size_t)(mark - text) > CELLA_HOST_NAME_LIMIT)
        return false;
    struct image *image = &request->images[request->image_count];
    memcpy(image->name, text, (size_t)(mark - text));
    image->name[mark - text] = '\0';
    image->path = mark + 1;
    if (!cella_host_name_valid(image->name))
        return false;
    for (size_t i = 0; i < request->image_count; i++)
        if (strcmp(request->images[i].name, image->name) == 0)
            request->twice = image->name;
    request->image_count++;
    return true;
}

static bool take_unsigned(const char *text, uint64_t high, unsigned *ret_value) {
    uint64_t value = 0;
    if (!cli_read_number(text, 1, high, &value))
        return false;
    *ret_value = (unsigned)value;
    return true;
}

/* False: the value is wrong. */
static bool take_option(struct request *request, int code, const char *value) {
    struct cella_http_options *http = &request->serve.http;
    uint64_t number = 0;
    switch (code) {
    case OPTION_STATE:
        request->state = value;
        return true;
    case OPTION_IMAGE:
        return take_image(request, value);
    case OPTION_MACHINE:
        request->machine = value;
        return true;
    case OPTION_LISTEN:
        return cella_http_listen_parse(value, &http->listen, NULL) == CELLA_OK;
    case OPTION_CERTIFICATE:
        http->certificate_path = value;
        return true;
    case OPTION_KEY:
        http->key_path = value;
        return true;
    case OPTION_REMOTE:
        return http->operator_remote = true;
    case OPTION_RESTART:
        request->serve.restart_limit = 5;
        return value == NULL || take_unsigned(value, 16, &request->serve.restart_limit);
    case OPTION_BODY_LIMIT:
        if (!cli_read_number(value, 1024, (uint64_t)1 << 32, &number))
            return false;
        http->body_limit = number;
        return true;
    case OPTION_CONNECTIONS:
        return take_unsigned(value, 1000000, &http->connection_limit);
    case OPTION_PER_ADDRESS:
        return take_unsigned(value, 1000000, &http->connection_limit_per_address);
    case OPTION_LOG:
        return cli_serve_log_option(&request->serve, value);
    case OPTION_LOG_LEVEL:
        return cli_serve_level_option(&request->serve, value);
    default:
        return request->dry_run = true;
    }
}

static const char *allowed_for(int code) {
    switch (code) {
    case OPTION_IMAGE:
        return "NAME=FILE, at most 64 times; a name is 1 to 64 letters, digits, '-' and '_', the first one a "
               "letter or digit";
    case OPTION_LISTEN:
        return "ADDRESS:PORT with a numeric address, for example 127.0.0.1:7700";
    case OPTION_RESTART:
        return "a number from 1 to 16";
    case OPTION_BODY_LIMIT:
        return "a number of bytes from 1024 to 4294967296";
    case OPTION_CONNECTIONS:
    case OPTION_PER_ADDRESS:
        return "a number from 1 to 1000000";
    case OPTION_LOG:
        return "text or json";
    default:
        return "debug, info, warning or error";
    }
}

static enum cella_status check(const struct request *request, const char *machine,
                               struct cella_error *error) {
    const struct cella_http_options *http = &request->serve.http;
    struct stat info;
    if (http->operator_remote && http->key_path == NULL)
        return cella_fail(error, CELLA_HTTP_TLS,
                          "--operator-remote needs TLS: the token would cross the network in the clear");
    for (size_t i = 0; i < request->image_count; i++)
        if (stat(request->images[i].path, &info) != 0 || !S_ISREG(info.st_mode))
            return cella_fail(error, CELLA_NOT_FOUND, "there is no image file %s", request->images[i].path);
    if (request->image_count > 0 && (stat(machine, &info) != 0 || !S_ISDIR(info.st_mode)))
        return cella_fail(error, CELLA_NOT_FOUND, "there is no machine in %s", machine);
    return CELLA_OK;
}

/* What a start would find out: are the images whole, does TLS load, is the address free? */
static enum cella_status rehearse(const struct request *request, struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    for (size_t i = 0; i < request->image_count && status == CELLA_OK; i++)
        status = cli_serve_check_image(request->images[i].path, error);
    return status == CELLA_OK ? cli_serve_check_listen(&request->serve, error) : status;
}

/* One vault that cannot be opened stops no other enclave; its status says why. */
static bool stays_up(enum cella_status status) {
    return (status >= CELLA_VAULT_MISSING && status <= CELLA_STORAGE_IO) || status == CELLA_KEY_CPU_SVN ||
           status == CELLA_KEY_ISV_SVN || status == CELLA_NO_COUNTER;
}

static enum cella_status start_all(const struct request *request, struct cli_serve *serve,
                                   const char *machine, struct cella_error *error) {
    for (size_t i = 0; i < request->image_count; i++) {
        const struct image *image = &request->images[i];
        enum cella_status status =
            cella_host_start(cli_serve_host(serve), image->name, image->path, machine, NULL, error);
        if (status != CELLA_OK && !stays_up(status))
            return cella_fail_context(error, status, "enclave %s", image->name);
        if (status != CELLA_OK) {
            cli_say("enclave %s did not start [%s]: %s", image->name, cella_status_name(status),
                    error->message);
            cli_say("hint: %s", cella_status_remedy(status));
        }
    }
    return CELLA_OK;
}

static const char *hint_for(enum cella_status status, const char *machine) {
    struct stat info;
    if (status == CELLA_NOT_FOUND && stat(machine, &info) != 0)
        return "make a simulated one with: cella sim new FOLDER, and name it with --machine";
    return NULL;
}

static int serve_until_signal(struct request *request) {
    char machine[PATH_MAX + 16] = "";
    struct cli_serve *serve = NULL;
    struct cella_error error = {.status = CELLA_OK};
    enum cella_status status = cli_state_folder(request->state, !request->dry_run, request->folder, &error);
    if (status == CELLA_OK) {
        snprintf(machine, sizeof machine, "%s/machine", request->folder);
        if (request->machine != NULL)
            snprintf(machine, sizeof machine, "%s", request->machine);
        status = check(request, machine, &error);
    }
    if (status == CELLA_OK && request->dry_run)
        status = rehearse(request, &error);
    if (status != CELLA_OK)
        return cli_fail(status, &error, hint_for(status, machine));
    if (request->dry_run) {
        cli_say("everything is in place; nothing was started");
        return 0;
    }
    request->serve.state_path = request->folder;
    status = cli_serve_new(&request->serve, &serve, &error);
    if (status == CELLA_OK)
        status = start_all(request, serve, machine, &error);
    if (status == CELLA_OK)
        status = cli_serve_listen(serve, &error);
    if (status == CELLA_OK)
        status = cli_serve_wait(serve, &error);
    cli_serve_free(serve);
    return status == CELLA_OK ? 0 : cli_fail(status, &error, NULL);
}

int cli_verb_host(int argc, char **argv) {
    struct request request = {.serve = {.log_level = CLI_LOG_INFO}};
    int code;
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
    if (optind < argc)
        return cli_usage(usage, "\"%s\" is one argument too many", argv[optind]);
    if (request.twice != NULL)
        return cli_usage(usage, "--image gives the name \"%s\" twice", request.twice);
    return serve_until_signal(&request);
}
