/* The ledger's host: a process of its own that the demo starts, asks and kills, as an operator does. */
#include "base/error.h"
#include "base/file.h"
#include "cli/demo_child.h"
#include "cli/demo_ledger.h"
#include "cli/place.h"
#include "client/http.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { START_LIMIT_MS = 20000, LOOK_MS = 5 };

static void rest(void) {
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    (void)nanosleep(&pause, NULL);
}

struct demo_path demo_ledger_vault(const struct demo *demo) {
    return demo_path(demo, DEMO_LEDGER "/vaults/" DEMO_LEDGER);
}

/* The host writes it when it listens. */
static bool read_url(struct demo *demo) {
    struct demo_path path = demo_path(demo, DEMO_LEDGER "/url");
    uint8_t *text = NULL;
    size_t size = 0;
    if (cella_file_read(path.text, sizeof demo->ledger->url - 1, &text, &size, NULL) != CELLA_OK)
        return false;
    text[strcspn((const char *)text, "\n")] = '\0';
    snprintf(demo->ledger->url, sizeof demo->ledger->url, "%s", (const char *)text);
    const char *port = strrchr(demo->ledger->url, ':');
    uint64_t number = 0;
    bool valid = port != NULL && cli_read_number(port + 1, 1, 65535, &number);
    demo->ledger->port = (unsigned)number;
    free(text);
    return valid;
}

/* What it said before it ended. */
static bool tell_log(struct demo *demo, const char *log) {
    uint8_t *text = NULL;
    size_t size = 0;
    if (cella_file_read(log, (size_t)1 << 20, &text, &size, NULL) != CELLA_OK)
        text = NULL;
    const char *last = text != NULL && size > 400 ? (const char *)text + size - 400 : (const char *)text;
    demo_check(&demo->story, false, "the host did not start: %s", last != NULL ? last : "it said nothing");
    free(text);
    return false;
}

/* Always on the same port, so that its clients find it again. */
bool demo_ledger_host_start(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct demo_path state = demo_path(demo, DEMO_LEDGER), machine = demo_path(demo, "machine");
    struct demo_path log = demo_path(demo, DEMO_LEDGER "-host.log"),
                     url = demo_path(demo, DEMO_LEDGER "/url");
    struct demo_path image = demo_path(demo, DEMO_LEDGER ".enclave");
    char listen[64], named[PATH_MAX + 16];
    snprintf(listen, sizeof listen, "127.0.0.1:%u", demo->ledger->port);
    snprintf(named, sizeof named, DEMO_LEDGER "=%s", image.text);
    const char *const arguments[] = {"host", "--state",  state.text, "--machine",    machine.text, "--image",
                                     named,  "--listen", listen,     "--restart=16", NULL};
    (void)unlink(url.text);
    if (!demo_ok(&demo->story, demo_child_start(arguments, log.text, &demo->ledger->host, &error), &error,
                 "the host"))
        return false;
    for (unsigned waited = 0; !read_url(demo); waited += LOOK_MS) {
        if (!demo_child_runs(demo->ledger->host) || waited > START_LIMIT_MS)
            return tell_log(demo, log.text);
        rest();
    }
    return true;
}

bool demo_ledger_host_end(struct demo *demo, int signal_number) {
    int code = demo_child_end(demo->ledger->host, signal_number);
    demo->ledger->host = 0;
    return (signal_number == SIGKILL ? code == -1 : code == 0) ||
           demo_check(&demo->story, false, "the host ended with %d", code);
}

json_t *demo_ledger_status(struct demo *demo) {
    struct demo_path state = demo_path(demo, DEMO_LEDGER);
    const struct cli_operator_options who = {.state = state.text};
    struct cella_client_http *http = NULL;
    struct cella_error error = {.message = ""};
    uint8_t *answer = NULL;
    size_t size = 0;
    enum cella_status status = cli_operator_new(&who, &http, &error);
    if (status == CELLA_OK)
        status = cella_client_http_exchange(
            http, &(struct cella_client_exchange){.target = "/v1/status", .limit = (size_t)1 << 20}, &answer,
            &size, &error);
    cella_client_http_free(http);
    json_t *all = status == CELLA_OK ? json_loadb((const char *)answer, size, 0, NULL) : NULL;
    json_t *enclave = json_incref(json_array_get(json_object_get(all, "enclaves"), 0));
    free(answer);
    json_decref(all);
    if (demo_ok(&demo->story, status, &error, "the host's status") && enclave == NULL)
        demo_check(&demo->story, false, "the host does not know the ledger");
    return enclave;
}

bool demo_ledger_explain(struct demo *demo, const char *const *texts) {
    struct cella_error error = {.message = ""};
    struct demo_path state = demo_path(demo, DEMO_LEDGER), log = demo_path(demo, "explain.log");
    const char *const arguments[] = {"vault", "explain", DEMO_LEDGER, "--state", state.text, "--json", NULL};
    char *output = NULL;
    size_t found = 0, wanted = 0, index;
    json_t *sentence;
    if (!demo_ok(&demo->story, demo_child_run(arguments, log.text, &output, &error), &error,
                 "the explanation"))
        return false;
    json_t *explained = json_loads(output, 0, NULL);
    free(output);
    demo_fact(&demo->story, "cella vault explain ledger --state ledger");
    for (; texts[wanted] != NULL; wanted++) {
        bool any = false;
        json_array_foreach(json_object_get(explained, "sentences"), index, sentence) {
            const char *text = json_string_value(sentence);
            if (text == NULL || strstr(text, texts[wanted]) == NULL)
                continue;
            demo_quote(&demo->story, text);
            any = true;
        }
        found += any ? 1 : 0;
    }
    json_decref(explained);
    return found == wanted;
}

void demo_ledger_end(struct demo *demo) {
    struct demo_ledger *ledger = demo->ledger;
    if (ledger == NULL)
        return;
    if (ledger->host > 0)
        (void)demo_child_end(ledger->host, SIGTERM);
    for (size_t i = 0; i < ledger->batch_count; i++)
        free(ledger->batches[i].answers);
    free(ledger->batches);
    plain_file_free(&ledger->file);
    free(ledger);
    demo->ledger = NULL;
}
