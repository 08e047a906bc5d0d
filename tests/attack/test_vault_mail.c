/* A host, an enclave with a vault and its clients, while the host kills, loses, copies and rolls back what it
 * has. */
#include "host/instance.h"
#include "machine/sim/manage.h"
#include "support/test.h"
#include <cella/client.h>
#include <cella/host.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENTS = 10, UPDATES = 200, KILLS = 3 };

struct site {
    struct test_folder folder;
    char machine[128], vaults[128], image[4096];
    struct cella_host *host;
    struct cella_host_enclave *enclave;
};

static void copy_out(char *out, size_t size, const char *text) {
    assert_true(snprintf(out, size, "%s", text) < (int)size);
}

static void start(struct site *site) {
    struct cella_error error = {.message = ""};
    enum cella_status status =
        cella_host_start(site->host, "probe", site->image, site->machine, &site->enclave, &error);
    if (status != CELLA_OK)
        print_message("%s\n", error.message);
    assert_status(status, CELLA_OK);
}

static void open_site_of(struct site *site, const char *image) {
    struct cella_error error = {.message = ""};
    test_folder_make(&site->folder);
    copy_out(site->machine, sizeof site->machine, test_path(&site->folder, "machine"));
    copy_out(site->vaults, sizeof site->vaults, test_path(&site->folder, "vaults"));
    copy_out(site->image, sizeof site->image, image);
    const struct cella_sim_create_options machine = {.folder = site->machine,
                                                     .platform_version = CELLA_SIM_VERSION_NEW};
    assert_status(cella_sim_create(&machine, &error), CELLA_OK);
    const struct cella_host_options options = {
        .keeper_path = CELLA_TEST_KEEPER, .vaults_path = site->vaults, .restart_limit = 1000};
    assert_status(cella_host_new(&options, &site->host, &error), CELLA_OK);
    start(site);
}

static void open_site(struct site *site) {
    open_site_of(site, CELLA_TEST_IMAGES "/vault-probe.enclave");
}

static void close_site(struct site *site) {
    cella_host_free(site->host);
    test_folder_remove(&site->folder);
}

static void kill_instance(struct site *site) {
    struct cella_host_enclave_state state;
    cella_host_enclave_state(site->enclave, &state);
    uint64_t starts = state.starts;
    if (state.instance_process_id > 0)
        (void)kill(state.instance_process_id, SIGKILL);
    /* Until the host has noticed and another serves. */
    do {
        (void)usleep(1000);
        cella_host_enclave_state(site->enclave, &state);
    } while (state.starts == starts || state.phase != CELLA_HOST_RUNNING);
}

/* What an operator would do with folders: `program` with these two paths. */
static void run(const char *program, const char *option, const char *from, const char *to) {
    pid_t process;
    int result = -1;
    char *const arguments[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)option, (char *)(uintptr_t)from,
                               (char *)(uintptr_t)to, NULL};
    assert_int_equal(posix_spawnp(&process, program, NULL, NULL, arguments, environ), 0);
    assert_true(waitpid(process, &result, 0) == process);
    assert_int_equal(result, 0);
}

static void copy_vault(const struct site *site, const char *to) {
    char from[192];
    (void)snprintf(from, sizeof from, "%s/probe", site->vaults);
    run("cp", "-a", from, test_path(&site->folder, to));
}

/* Puts the copy `name` where the vault is, and the vault where `aside` says. */
static void exchange_vault(const struct site *site, const char *name, const char *aside) {
    char vault[192];
    (void)snprintf(vault, sizeof vault, "%s/probe", site->vaults);
    run("mv", "-T", vault, test_path(&site->folder, aside));
    run("mv", "-T", test_path(&site->folder, name), vault);
}

static struct cella_client *new_client(struct site *site, struct cella_client_transport *transport) {
    struct cella_client *client = NULL;
    struct cella_error error = {.message = ""};
    char constraint[256];
    char hex[65];
    struct cella_host_enclave_state state;
    cella_host_enclave_state(site->enclave, &state);
    for (size_t i = 0; i < 32; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", state.code_hash[i]);
    (void)snprintf(constraint, sizeof constraint, "C:%s SEC:INSECURE", hex);
    *transport = cella_client_transport_host(site->enclave);
    const struct cella_client_options options = {
        .constraint = constraint, .transport = transport, .attempt_limit = 1000};
    assert_status(cella_client_new(&options, &client, &error), CELLA_OK);
    return client;
}

static enum cella_status ask(struct cella_client *client, const char *text, char *out, size_t size,
                             struct cella_error *error) {
    struct cella_client_mail mail = {.topic = NULL};
    bool replied = false;
    const struct cella_client_request request = {.body = CELLA_BYTES(text, strlen(text))};
    enum cella_status status = cella_client_request(client, &request, &replied, &mail, error);
    out[0] = '\0';
    if (status == CELLA_OK && replied)
        (void)snprintf(out, size, "%.*s", (int)mail.body_size, (const char *)mail.body);
    if (status == CELLA_OK && replied)
        cella_client_mail_deinit(&mail);
    return status;
}

#define assert_says(client, text, expected)                                                                  \
    do {                                                                                                     \
        char out_[256];                                                                                      \
        struct cella_error error_ = {.message = ""};                                                         \
        enum cella_status status_ = ask((client), (text), out_, sizeof out_, &error_);                       \
        if (status_ != CELLA_OK)                                                                             \
            print_message("%s\n", error_.message);                                                           \
        assert_status(status_, CELLA_OK);                                                                    \
        assert_string_equal(out_, (expected));                                                               \
    } while (0)

#define assert_posted(client, expected)                                                                      \
    do {                                                                                                     \
        struct cella_client_mail mail_ = {.topic = NULL};                                                    \
        struct cella_error error_ = {.message = ""};                                                         \
        bool arrived_ = false;                                                                               \
        assert_status(cella_client_poll((client), 10000, &arrived_, &mail_, &error_), CELLA_OK);             \
        assert_true(arrived_);                                                                               \
        assert_bytes(CELLA_BYTES(mail_.body, mail_.body_size), CELLA_BYTES((expected), strlen(expected)));   \
        cella_client_mail_deinit(&mail_);                                                                    \
    } while (0)

struct counter {
    struct site *site;
    unsigned number;
    char failure[512];
};

static void *count_up(void *context) {
    struct counter *counter = context;
    struct cella_client_transport transport;
    struct cella_client *client = new_client(counter->site, &transport);
    char line[64], expected[32], out[64];
    (void)snprintf(line, sizeof line, "count-up key-%u 10240", counter->number);
    for (unsigned i = 1; i <= UPDATES && counter->failure[0] == '\0'; i++) {
        struct cella_error error = {.message = ""};
        enum cella_status status = ask(client, line, out, sizeof out, &error);
        (void)snprintf(expected, sizeof expected, "%u", i);
        if (status != CELLA_OK || strcmp(out, expected) != 0)
            (void)snprintf(counter->failure, sizeof counter->failure, "update %u: %s, \"%s\": %.300s", i,
                           cella_status_name(status), out, error.message);
    }
    cella_client_free(client);
    return NULL;
}

static void updates_of_many_clients_happen_exactly_once_through_kills(void **state) {
    struct site site;
    struct counter counters[CLIENTS] = {0};
    pthread_t threads[CLIENTS];
    open_site(&site);
    for (unsigned i = 0; i < CLIENTS; i++) {
        counters[i].site = &site;
        counters[i].number = i;
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, &counters[i]), 0);
    }
    for (unsigned i = 0; i < KILLS; i++) {
        struct cella_host_enclave_state now;
        do {
            (void)usleep(1000);
            cella_host_enclave_state(site.enclave, &now);
        } while (now.mails < (i + 1) * CLIENTS * UPDATES / (KILLS + 2));
        kill_instance(&site);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
        assert_string_equal(counters[i].failure, "");
    }
    kill_instance(&site);
    struct cella_client_transport transport;
    struct cella_client *client = new_client(&site, &transport);
    for (unsigned i = 0; i < CLIENTS; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "count-up key-%u 10240", i);
        assert_says(client, line, "201");
    }
    cella_client_free(client);
    close_site(&site);
}

static void a_client_goes_on_with_its_sequences_after_a_kill(void **state) {
    struct site site;
    struct cella_client_transport transport;
    open_site(&site);
    struct cella_client *client = new_client(&site, &transport);
    assert_says(client, "add number 1", "1");
    kill_instance(&site);
    assert_says(client, "add number 1", "2");
    kill_instance(&site);
    assert_says(client, "add number 1", "3");
    cella_client_free(client);
    close_site(&site);
}

static void a_post_that_was_not_collected_survives_a_kill(void **state) {
    struct site site;
    struct cella_client_transport transport;
    struct cella_client_mail mail = {.topic = NULL};
    struct cella_error error = {.message = ""};
    bool arrived = false;
    open_site(&site);
    struct cella_client *client = new_client(&site, &transport);
    assert_says(client, "post news first", "");
    cella_host_stop(site.enclave, 10000);
    start(&site);
    assert_status(cella_client_poll(client, 10000, &arrived, &mail, &error), CELLA_OK);
    assert_true(arrived);
    assert_string_equal(mail.topic, "news");
    assert_bytes(CELLA_BYTES(mail.body, mail.body_size), CELLA_BYTES("first", 5));
    cella_client_mail_deinit(&mail);
    assert_says(client, "post news second", "");
    assert_status(cella_client_poll(client, 10000, &arrived, &mail, &error), CELLA_OK);
    assert_true(arrived);
    assert_bytes(CELLA_BYTES(mail.body, mail.body_size), CELLA_BYTES("second", 6));
    cella_client_mail_deinit(&mail);
    cella_client_free(client);
    close_site(&site);
}

static void a_query_reads_and_cannot_change(void **state) {
    struct site site;
    struct cella_client_transport transport;
    struct cella_client_mail mail = {.topic = NULL};
    struct cella_error error = {.message = ""};
    bool replied = false;
    open_site(&site);
    struct cella_client *client = new_client(&site, &transport);
    assert_says(client, "put name value", "");
    struct cella_client_request request = {.body = CELLA_BYTES("get name", 8)};
    assert_status(cella_client_query(client, &request, &replied, &mail, &error), CELLA_OK);
    assert_bytes(CELLA_BYTES(mail.body, mail.body_size), CELLA_BYTES("value", 5));
    cella_client_mail_deinit(&mail);
    request.body = CELLA_BYTES("try-put name other", 18);
    assert_status(cella_client_query(client, &request, &replied, &mail, &error), CELLA_OK);
    assert_bytes(CELLA_BYTES(mail.body, mail.body_size), CELLA_BYTES("READ_ONLY", 9));
    cella_client_mail_deinit(&mail);
    cella_client_free(client);
    close_site(&site);
}

/* A program without a vault has the same handlers, and the same must be refused to them. */
static void a_query_posts_nothing_without_a_vault(void **state) {
    struct site site;
    struct cella_client_transport transport;
    struct cella_client_mail mail = {.topic = NULL};
    struct cella_error error = {.message = ""};
    bool replied = false;
    open_site_of(&site, CELLA_TEST_IMAGES "/vaultless-probe.enclave");
    struct cella_client *client = new_client(&site, &transport);
    assert_says(client, "post news first", "");
    const struct cella_client_request request = {.body = CELLA_BYTES("post news never", 15)};
    assert_status(cella_client_query(client, &request, &replied, &mail, &error), CELLA_HANDLER_FAILED);
    assert_says(client, "post news second", "");
    assert_posted(client, "first");
    assert_posted(client, "second");
    cella_client_free(client);
    close_site(&site);
}

/* As if the disk were full: no byte of any file but the first can be written by this process. */
static void break_disk(bool broken) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = broken ? 1 : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static enum cella_status call(struct site *site, const char *text) {
    uint8_t *reply = NULL;
    size_t size = 0;
    enum cella_status status =
        cella_host_call_wait(site->enclave, CELLA_BYTES(text, strlen(text)), &reply, &size, NULL);
    free(reply);
    return status;
}

static void await_storage(struct site *site, bool works) {
    struct cella_host_enclave_state now;
    do {
        (void)usleep(1000);
        cella_host_enclave_state(site->enclave, &now);
    } while ((now.vault.storage == CELLA_OK) != works);
}

static void a_disk_that_cannot_be_written_holds_up_changes_and_loses_none(void **state) {
    struct site site;
    struct cella_client_transport transport;
    open_site(&site);
    struct cella_client *client = new_client(&site, &transport);
    assert_says(client, "put name first", "");
    break_disk(true);
    enum cella_status pending = call(&site, "put name second");
    enum cella_status refused = call(&site, "put other value");
    struct cella_client_mail mail = {.topic = NULL};
    bool replied = false;
    const struct cella_client_request request = {.body = CELLA_BYTES("get name", 8)};
    enum cella_status queried = cella_client_query(client, &request, &replied, &mail, NULL);
    await_storage(&site, false);
    break_disk(false);
    assert_status(pending, CELLA_COMMIT_PENDING);
    assert_status(refused, CELLA_STORAGE_IO);
    assert_status(queried, CELLA_OK);
    assert_bytes(CELLA_BYTES(mail.body, mail.body_size), CELLA_BYTES("first", 5));
    cella_client_mail_deinit(&mail);
    await_storage(&site, true);
    assert_says(client, "get name", "second");
    assert_says(client, "get other", "none");
    kill_instance(&site);
    assert_says(client, "get name", "second");
    cella_client_free(client);
    close_site(&site);
}

struct asker {
    struct cella_client *client;
    enum cella_status status;
};

static void *post_later(void *context) {
    struct asker *asker = context;
    char out[64];
    asker->status = ask(asker->client, "post news second", out, sizeof out, &(struct cella_error){0});
    return NULL;
}

static void a_request_whose_commit_is_pending_is_answered_and_posts_once_when_the_disk_works(void **state) {
    struct site site;
    struct cella_client_transport transport;
    pthread_t thread;
    open_site(&site);
    struct cella_client *client = new_client(&site, &transport);
    struct asker asker = {.client = client, .status = CELLA_INTERNAL};
    assert_says(client, "post news first", "");
    break_disk(true);
    int created = pthread_create(&thread, NULL, post_later, &asker);
    await_storage(&site, false);
    break_disk(false);
    assert_int_equal(created, 0);
    pthread_join(thread, NULL);
    assert_status(asker.status, CELLA_OK);
    assert_says(client, "post news third", "");
    assert_posted(client, "first");
    assert_posted(client, "second");
    assert_posted(client, "third");
    cella_client_free(client);
    close_site(&site);
}

static void a_copy_of_the_same_epoch_is_stopped_by_the_first_client_that_saw_more(void **state) {
    struct site site;
    struct cella_client_transport transports[2];
    struct cella_error error = {.message = ""};
    char out[64];
    open_site(&site);
    struct cella_client *older = new_client(&site, &transports[0]);
    struct cella_client *newer = new_client(&site, &transports[1]);
    assert_says(older, "add number 1", "1");
    copy_vault(&site, "copy");
    assert_says(newer, "add number 1", "2");
    cella_host_stop(site.enclave, 10000);
    exchange_vault(&site, "copy", "newest");
    start(&site);
    /* One that saw nothing of what is lost cannot know. */
    assert_says(older, "add number 1", "2");
    enum cella_status status = ask(newer, "add number 1", out, sizeof out, &error);
    assert_true(status == CELLA_VAULT_FORK || status == CELLA_VAULT_STOPPED);
    assert_status(ask(older, "add number 1", out, sizeof out, &error), CELLA_VAULT_STOPPED);
    cella_client_free(older);
    cella_client_free(newer);
    close_site(&site);
}

static void a_copy_of_an_earlier_epoch_does_not_start(void **state) {
    struct site site;
    struct cella_client_transport transport;
    struct cella_error error = {.message = ""};
    open_site(&site);
    struct cella_client *client = new_client(&site, &transport);
    assert_says(client, "add number 1", "1");
    cella_host_stop(site.enclave, 10000);
    copy_vault(&site, "copy");
    start(&site);
    assert_says(client, "add number 1", "2");
    cella_host_stop(site.enclave, 10000);
    exchange_vault(&site, "copy", "newest");
    assert_status(cella_host_start(site.host, "probe", site.image, site.machine, NULL, &error),
                  CELLA_VAULT_STALE);
    exchange_vault(&site, "newest", "stale");
    start(&site);
    assert_says(client, "add number 1", "3");
    cella_client_free(client);
    close_site(&site);
}

int main(void) {
    (void)signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_goes_on_with_its_sequences_after_a_kill),
        cmocka_unit_test(a_post_that_was_not_collected_survives_a_kill),
        cmocka_unit_test(a_query_reads_and_cannot_change),
        cmocka_unit_test(a_query_posts_nothing_without_a_vault),
        cmocka_unit_test(a_disk_that_cannot_be_written_holds_up_changes_and_loses_none),
        cmocka_unit_test(a_request_whose_commit_is_pending_is_answered_and_posts_once_when_the_disk_works),
        cmocka_unit_test(a_copy_of_the_same_epoch_is_stopped_by_the_first_client_that_saw_more),
        cmocka_unit_test(a_copy_of_an_earlier_epoch_does_not_start),
        cmocka_unit_test(updates_of_many_clients_happen_exactly_once_through_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
