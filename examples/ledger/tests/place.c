/* A ledger that runs, for tests. */
#include "place.h"
#include "base/file.h"
#include "base/hex.h"
#include "image/build.h"
#include "image/conf.h"
#include "ledger.h"
#include "machine/sim/manage.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct place place;

const char *place_path(const char *name) {
    return test_path(&place.folder, name);
}

struct cella_bytes place_read(const char *path) {
    uint8_t *data = NULL;
    size_t size = 0;
    assert_status(cella_file_read(path, (size_t)64 << 20, &data, &size, NULL), CELLA_OK);
    struct cella_bytes copy = test_copy(CELLA_BYTES(data, size));
    free(data);
    return copy;
}

static const char *client_path(unsigned client) {
    char name[16];
    (void)snprintf(name, sizeof name, "client-%u", client);
    return place_path(name);
}

void place_reopen(unsigned client) {
    struct cella_error error = {.message = ""};
    cella_client_free(place.clients[client]);
    place.clients[client] = NULL;
    struct cella_client_options options = {.state_path = client_path(client),
                                           .constraint = place.constraint,
                                           .transport = &place.transport,
                                           .attempt_limit = 1000};
    enum cella_status status = cella_client_open(&options, &place.clients[client], &error);
    if (status != CELLA_OK)
        fail_msg("client: %s", error.message);
}

static void make_client(unsigned client) {
    struct cella_client_options options = {.state_path = client_path(client)};
    assert_status(cella_client_new(&options, &place.clients[client], NULL), CELLA_OK);
}

/* enclave.conf.in with the issuer's key and no owners. */
static char *settings_text(void) {
    struct cella_bytes template = place_read(LEDGER_FOLDER "/enclave.conf.in");
    char key[65], *text = NULL;
    uint8_t issuer[CELLA_CLIENT_KEY_SIZE];
    size_t size = 0;
    cella_client_public_key(place.clients[PLACE_ISSUER], issuer);
    cella_hex_encode(issuer, sizeof issuer, key);
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    size_t position = 0;
    for (struct cella_bytes line; ledger_next_line(template, &position, &line);) {
        if (ledger_word_is(line, "issuer = @ISSUER@"))
            (void)fprintf(out, "issuer = %s\n", key);
        else if (!ledger_word_is(line, "@OWNERS@"))
            (void)fprintf(out, "%.*s\n", (int)line.size, (const char *)line.data);
    }
    (void)fclose(out);
    return text;
}

/* Builds and signs the image, and sets the constraint. */
static void make_image(const char *path) {
    struct cella_settings settings = {0};
    struct cella_image image;
    struct cella_sigstruct sigstruct;
    struct cella_rsa *signer = NULL;
    uint8_t *file = NULL;
    size_t size = 0;
    char *text = settings_text(), digits[65];
    struct cella_bytes elf = place_read(LEDGER_ELF);
    assert_status(cella_conf_parse("enclave.conf", CELLA_BYTES(text, strlen(text)), &settings, NULL),
                  CELLA_OK);
    assert_status(cella_image_build(elf, &settings, CELLA_IMAGE_DEFAULT_DATE, &file, &size, NULL), CELLA_OK);
    assert_status(cella_image_open(CELLA_BYTES(file, size), &image, NULL), CELLA_OK);
    assert_status(cella_rsa_generate(&signer), CELLA_OK);
    sigstruct = image.sigstruct;
    assert_status(cella_sigstruct_sign(&sigstruct, signer, NULL), CELLA_OK);
    assert_status(cella_image_set_sigstruct(file, size, &sigstruct, NULL), CELLA_OK);
    test_write_file(path, CELLA_BYTES(file, size));
    cella_hex_encode(sigstruct.enclave_hash, sizeof sigstruct.enclave_hash, digits);
    (void)snprintf(place.constraint, sizeof place.constraint, "C:%s SEC:INSECURE", digits);
    cella_rsa_free(signer);
    cella_settings_deinit(&settings);
    free(file);
    free(text);
}

int place_setup(void **state) {
    struct cella_error error = {.message = ""};
    memset(&place, 0, sizeof place);
    test_folder_make(&place.folder);
    struct cella_sim_create_options machine = {.folder = place_path("machine"),
                                               .platform_version = CELLA_SIM_VERSION_NEW};
    struct cella_host_options options = {.vaults_path = place_path("vaults"), .restart_limit = 1000};
    for (unsigned i = 0; i < PLACE_CLIENTS; i++)
        make_client(i);
    make_image(place_path("image"));
    assert_status(cella_sim_create(&machine, NULL), CELLA_OK);
    assert_status(cella_host_new(&options, &place.host, NULL), CELLA_OK);
    if (cella_host_start(place.host, "ledger", place_path("image"), place_path("machine"), &place.enclave,
                         &error) != CELLA_OK)
        fail_msg("start: %s", error.message);
    place.transport = cella_client_transport_host(place.enclave);
    for (unsigned i = 0; i < PLACE_CLIENTS; i++)
        place_reopen(i);
    return 0;
}

int place_teardown(void **state) {
    for (unsigned i = 0; i < PLACE_CLIENTS; i++)
        cella_client_free(place.clients[i]);
    cella_host_free(place.host);
    test_folder_remove(&place.folder);
    return 0;
}

void place_kill(void) {
    struct cella_host_enclave_state now;
    cella_host_enclave_state(place.enclave, &now);
    uint64_t starts = now.starts;
    if (now.instance_process_id > 0)
        (void)kill(now.instance_process_id, SIGKILL);
    do {
        (void)usleep(1000);
        cella_host_enclave_state(place.enclave, &now);
    } while (now.starts == starts || now.phase != CELLA_HOST_RUNNING);
}

static enum cella_status run(bool question, unsigned client, const char *text, const char **ret_reply) {
    struct cella_client_request request = {.topic = LEDGER_TOPIC, .body = CELLA_BYTES(text, strlen(text))};
    struct cella_client_mail reply = {.topic = NULL};
    struct cella_error error;
    bool replied = false;
    struct cella_client *who = place.clients[client];
    enum cella_status status = question ? cella_client_query(who, &request, &replied, &reply, &error)
                                        : cella_client_request(who, &request, &replied, &reply, &error);
    *ret_reply = "";
    if (status == CELLA_OK && replied) {
        struct cella_bytes copy = test_copy(CELLA_BYTES(reply.body, reply.body_size + 1));
        ((char *)copy.data)[reply.body_size] = '\0';
        *ret_reply = (const char *)copy.data;
    }
    cella_client_mail_deinit(&reply);
    return status;
}

enum cella_status place_send(unsigned client, const char *text, const char **ret_reply) {
    return run(false, client, text, ret_reply);
}

enum cella_status place_ask(unsigned client, const char *question, const char **ret_answer) {
    return run(true, client, question, ret_answer);
}
