/* cella run: one enclave in the foreground, with a simulated machine if there is none.
 * Must not: hide that a simulated machine protects nothing. */
#include "base/error.h"
#include "base/hex.h"
#include "cli/cli.h"
#include "cli/place.h"
#include "cli/serve.h"
#include "machine/sim/manage.h"
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char usage[] =
    "usage: cella run IMAGE [--name NAME] [--state FOLDER] [--machine FOLDER] [OPTIONS]\n"
    "\n"
    "Runs one enclave in the foreground and prints what its clients need: URL, name, constraint.\n"
    "Ends with the enclave, or by SIGTERM or SIGINT.\n"
    "\n"
    "  --name NAME            the enclave's name (the file's name without its ending)\n"
    "  --state FOLDER         the operator's token and the URL are kept here\n"
    "                         ($XDG_STATE_HOME/cella or ~/.local/state/cella); made if absent\n"
    "  --machine FOLDER       the machine (FOLDER/machine of the state folder); a simulated one is\n"
    "                         made if there is none\n"
    "  --listen ADDRESS:PORT  where to listen (127.0.0.1:7700); port 0 is any free one\n"
    "  --log text|json        form of the log on standard error\n"
    "  --log-level LEVEL      debug, info, warning or error (warning)\n"
    "  --json                 print as JSON\n"
    "  --dry-run              check options and files, start nothing\n";

enum option_code {
    OPTION_NAME = 256,
    OPTION_STATE,
    OPTION_MACHINE,
    OPTION_LISTEN,
    OPTION_LOG,
    OPTION_LOG_LEVEL,
    OPTION_JSON,
    OPTION_DRY_RUN,
    OPTION_HELP
};

static const struct option options[] = {{"name", required_argument, NULL, OPTION_NAME},
                                        {"state", required_argument, NULL, OPTION_STATE},
                                        {"machine", required_argument, NULL, OPTION_MACHINE},
                                        {"listen", required_argument, NULL, OPTION_LISTEN},
                                        {"log", required_argument, NULL, OPTION_LOG},
                                        {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
                                        {"json", no_argument, NULL, OPTION_JSON},
                                        {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
                                        {"help", no_argument, NULL, OPTION_HELP},
                                        {NULL, 0, NULL, 0}};

struct request {
    struct cli_serve_options serve;
    const char *image;
    const char *name;
    const char *state;
    char folder[PATH_MAX]; /* the state folder */
    const char *machine;
    bool json;
    bool dry_run;
};

static bool take_option(struct request *request, int code, const char *value) {
    switch (code) {
    case OPTION_NAME:
        request->name = value;
        return cella_host_name_valid(value);
    case OPTION_STATE:
        request->state = value;
        return true;
    case OPTION_MACHINE:
        request->machine = value;
        return true;
    case OPTION_LISTEN:
        return cella_http_listen_parse(value, &request->serve.http.listen, NULL) == CELLA_OK;
    case OPTION_LOG:
        return cli_serve_log_option(&request->serve, value);
    case OPTION_LOG_LEVEL:
        return cli_serve_level_option(&request->serve, value);
    case OPTION_JSON:
        return request->json = true;
    default:
        return request->dry_run = true;
    }
}

/* "folder/pay-survey.enclave" is pay-survey. */
static bool name_of_file(const char *path, char ret_name[CELLA_HOST_NAME_LIMIT + 1]) {
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    size_t size = strcspn(base, ".");
    if (size > CELLA_HOST_NAME_LIMIT)
        return false;
    memcpy(ret_name, base, size);
    ret_name[size] = '\0';
    return cella_host_name_valid(ret_name);
}

static enum cella_status ensure_machine(const char *machine, bool dry_run, struct cella_error *error) {
    struct stat info;
    if (stat(machine, &info) == 0)
        return CELLA_OK;
    struct cella_sim_create_options create = {
        .folder = machine, .platform_version = CELLA_SIM_VERSION_NEW, .dry_run = dry_run};
    enum cella_status status = cella_sim_create(&create, error);
    if (status == CELLA_OK)
        cli_say("%s a SIMULATED machine in %s: it is INSECURE, for development only",
                dry_run ? "would make" : "made", machine);
    return status;
}

static void print_facts(const struct request *request, const char *url,
                        const struct cella_host_enclave_state *state) {
    char hash[65], constraint[128];
    cella_hex_encode(state->code_hash, sizeof state->code_hash, hash);
    snprintf(constraint, sizeof constraint, "C:%s SEC:%s", hash,
             state->simulated || state->debug ? "INSECURE" : "STALE");
    if (request->json) {
        json_t *object =
            json_pack("{s:s, s:s, s:s}", "url", url, "enclave", state->name, "constraint", constraint);
        char *text = json_dumps(object, JSON_COMPACT);
        puts(text == NULL ? "" : text);
        free(text);
        json_decref(object);
    } else {
        printf("url         %s\nenclave     %s\nconstraint  %s\n", url, state->name, constraint);
    }
    fflush(stdout);
    if (state->debug)
        cli_say("debug image: the host can read its memory");
    cli_say("mail to it with: cella mail send --state client.state --url %s --enclave %s --constraint \"%s\"",
            url, state->name, constraint);
}

static enum cella_status serve_enclave(struct request *request, const char *machine,
                                       struct cella_error *error) {
    struct cli_serve *serve = NULL;
    struct cella_host_enclave *enclave = NULL;
    enum cella_status status = cli_serve_new(&request->serve, &serve, error);
    if (status == CELLA_OK)
        status =
            cella_host_start(cli_serve_host(serve), request->name, request->image, machine, &enclave, error);
    if (status == CELLA_OK)
        status = cli_serve_listen(serve, error);
    if (status == CELLA_OK) {
        struct cella_host_enclave_state state;
        cella_host_enclave_state(enclave, &state);
        print_facts(request, cli_serve_url(serve), &state);
        status = cli_serve_wait(serve, error);
    }
    cli_serve_free(serve);
    return status;
}

static int run_request(struct request *request) {
    char machine[PATH_MAX + 16];
    struct stat info;
    struct cella_error error = {.status = CELLA_OK};
    if (stat(request->image, &info) != 0 || !S_ISREG(info.st_mode)) {
        cella_fail(&error, CELLA_NOT_FOUND, "there is no image file %s", request->image);
        return cli_fail(CELLA_NOT_FOUND, &error, "build one with: cella image build");
    }
    /* Before anything is made for it. */
    enum cella_status status = cli_serve_check_image(request->image, &error);
    if (status == CELLA_OK)
        status = cli_state_folder(request->state, !request->dry_run, request->folder, &error);
    if (status == CELLA_OK) {
        snprintf(machine, sizeof machine, "%s/machine", request->folder);
        if (request->machine != NULL)
            snprintf(machine, sizeof machine, "%s", request->machine);
        status = ensure_machine(machine, request->dry_run, &error);
    }
    if (status == CELLA_OK && request->dry_run)
        status = cli_serve_check_listen(&request->serve, &error);
    if (status == CELLA_OK && request->dry_run) {
        cli_say("everything is in place; nothing was started");
        return 0;
    }
    request->serve.state_path = request->folder;
    if (status == CELLA_OK)
        status = serve_enclave(request, machine, &error);
    return status == CELLA_OK ? 0 : cli_fail(status, &error, NULL);
}

static const char *allowed_for(int code) {
    switch (code) {
    case OPTION_NAME:
        return "1 to 64 letters, digits, '-' and '_', the first one a letter or digit";
    case OPTION_LISTEN:
        return "ADDRESS:PORT with a numeric address, for example 127.0.0.1:7700";
    case OPTION_LOG:
        return "text or json";
    default:
        return "debug, info, warning or error";
    }
}

int cli_verb_run(int argc, char **argv) {
    struct request request = {.serve = {.log_level = CLI_LOG_WARNING, .end_with_enclave = true}};
    char name[CELLA_HOST_NAME_LIMIT + 1];
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
    if (argc - optind != 1)
        return cli_usage(usage, "one image is needed");
    request.image = argv[optind];
    if (request.name == NULL && !name_of_file(request.image, name))
        return cli_usage(usage, "the file's name is no name for an enclave: give one with --name");
    if (request.name == NULL)
        request.name = name;
    return run_request(&request);
}
