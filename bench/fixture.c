/* Starting and ending what the benchmarks of instances measure. */
#include "fixture.h"
#include "attest/attestation.h"
#include "attest/statement.h"
#include "crypto/random.h"
#include "machine/sim/manage.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static uint8_t body[FIXTURE_BODY_SIZE];

const char *fixture_image(void) {
    return BENCH_ECHO_IMAGE;
}

void fixture_machine_init(struct fixture *fixture) {
    *fixture = (struct fixture){.folder = "/tmp/cella-bench-XXXXXX"};
    bench_require(mkdtemp(fixture->folder) != NULL, "mkdtemp");
    (void)snprintf(fixture->machine, sizeof fixture->machine, "%s/machine", fixture->folder);
    const struct cella_sim_create_options options = {.folder = fixture->machine,
                                                     .platform_version = CELLA_SIM_VERSION_NEW};
    struct cella_error error = {0};
    bench_check(cella_sim_create(&options, &error), &error, "making a simulated machine");
}

/* Says why an instance ended, should one do so. */
static void on_log(void *context, const char *level, const char *enclave, const char *event,
                   const char *facts) {
    if (strcmp(level, "warning") == 0 || strcmp(level, "error") == 0 || strcmp(event, "ended") == 0)
        fprintf(stderr, "bench: %s %s %s %s\n", level, enclave == NULL ? "-" : enclave, event, facts);
}

void fixture_init(struct fixture *fixture) {
    fixture_machine_init(fixture);
    const struct cella_host_options options = {.events = {.log = on_log}};
    struct cella_error error = {0};
    bench_check(cella_host_new(&options, &fixture->host, &error), &error, "making a host");
    bench_check(
        cella_host_start(fixture->host, "echo", fixture_image(), fixture->machine, &fixture->enclave, &error),
        &error, "starting the echo enclave");
    fixture_session_key(fixture->enclave, fixture->session_key);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place) {
    return remove(path);
}

void fixture_deinit(struct fixture *fixture) {
    cella_host_free(fixture->host);
    (void)nftw(fixture->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fixture_session_key(struct cella_host_enclave *enclave, uint8_t ret_key[32]) {
    uint8_t *data = NULL;
    size_t size = 0;
    struct cella_error error = {0};
    struct cella_attestation attestation;
    struct cella_statement statement;
    bench_check(cella_host_attestation_wait(enclave, NULL, &data, &size, &error), &error, "attestation");
    bench_check(cella_attestation_parse(CELLA_BYTES(data, size), &attestation, &error), &error,
                "attestation");
    bench_check(cella_statement_parse(attestation.statement, &statement, &error), &error, "statement");
    memcpy(ret_key, statement.session_key, 32);
    free(data);
}

void fixture_client_init(struct fixture_client *client, const struct fixture *fixture) {
    memset(client, 0, sizeof *client);
    bench_check(cella_x25519_generate(&client->key), NULL, "client key");
    bench_check(cella_random(client->route, sizeof client->route), NULL, "route");
    bench_check(cella_mail_session_new(&client->key, fixture->session_key, &client->session), NULL,
                "session");
    uint8_t *reply = NULL;
    size_t reply_size = 0;
    struct cella_error error = {0};
    bench_check(cella_host_mail_wait(fixture->enclave, client->route, fixture_client_seal(client), &reply,
                                     &reply_size, &error),
                &error, "first mail");
    fixture_client_open(client, CELLA_BYTES(reply, reply_size));
    free(reply);
}

void fixture_client_deinit(struct fixture_client *client) {
    free(client->mail);
    cella_mail_session_free(client->session);
    cella_x25519_deinit(&client->key);
}

struct cella_bytes fixture_client_seal(struct fixture_client *client) {
    const struct cella_mail_request request = {
        .topic = "bench", .way = CELLA_MAIL_WAY_SESSION, .padding = CELLA_MAIL_PADDING_CLASS};
    struct cella_error error = {0};
    free(client->mail);
    client->mail = NULL;
    bench_check(cella_mail_session_seal(client->session, &request, CELLA_BYTES(body, sizeof body),
                                        &client->mail, &client->mail_size, &error),
                &error, "sealing");
    return CELLA_BYTES(client->mail, client->mail_size);
}

void fixture_client_open(struct fixture_client *client, struct cella_bytes reply) {
    struct cella_mail_letter letter;
    struct cella_error error = {0};
    bench_check(cella_mail_session_open(client->session, reply, &letter, &error), &error, "opening a reply");
    bench_require(letter.role == CELLA_MAIL_REPLY && letter.body.size == sizeof body &&
                      memcmp(letter.body.data, body, sizeof body) == 0,
                  "the echo");
    cella_mail_letter_deinit(&letter);
}
