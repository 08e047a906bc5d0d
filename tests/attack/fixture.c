/* A simulated machine and one instance, driven through src/host/instance.h. */
#include "attack/fixture.h"
#include "machine/sim/manage.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *fixture_image(const char *name) {
    static char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s.enclave", CELLA_TEST_IMAGES, name);
    return path;
}

const char *fixture_machine(void) {
    static struct test_folder folder;
    struct cella_error error = {.message = ""};
    test_folder_make(&folder);
    const char *path = test_path(&folder, "machine");
    const struct cella_sim_create_options options = {.folder = path,
                                                     .platform_version = CELLA_SIM_VERSION_NEW};
    assert_status(cella_sim_create(&options, &error), CELLA_OK);
    return path;
}

static void on_post(void *context, const uint8_t route[CELLA_ROUTE_SIZE], struct cella_bytes mail) {
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    fixture->posts++;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

static void on_log(void *context, const char *line) {
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    if (fixture->line_count < FIXTURE_LINES)
        (void)snprintf(fixture->lines[fixture->line_count++], 256, "%s", line);
    pthread_mutex_unlock(&fixture->lock);
}

static void on_ended(void *context, enum cella_status status, const char *reason) {
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    fixture->ended = true;
    fixture->end_status = status;
    (void)snprintf(fixture->end_reason, sizeof fixture->end_reason, "%s", reason);
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

struct waiting {
    struct fixture *fixture;
    struct answer answer;
    bool done;
};

static void on_done(void *context, enum cella_status status, const char *message, struct cella_bytes reply) {
    struct waiting *waiting = context;
    pthread_mutex_lock(&waiting->fixture->lock);
    waiting->answer.status = status;
    (void)snprintf(waiting->answer.message, sizeof waiting->answer.message, "%s", message);
    waiting->answer.reply = test_copy(reply);
    waiting->done = true;
    pthread_cond_broadcast(&waiting->fixture->changed);
    pthread_mutex_unlock(&waiting->fixture->lock);
}

static struct answer await(struct waiting *waiting) {
    struct fixture *fixture = waiting->fixture;
    pthread_mutex_lock(&fixture->lock);
    while (!waiting->done)
        pthread_cond_wait(&fixture->changed, &fixture->lock);
    pthread_mutex_unlock(&fixture->lock);
    return waiting->answer;
}

/* Calls the enclave back with the same request, nested in its own call. */
static enum cella_status on_call(void *context, uint64_t call_id, struct cella_bytes request,
                                 uint8_t **ret_reply, size_t *ret_reply_size) {
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    fixture->calls++;
    /* It may come before the start has returned. */
    while (fixture->instance == NULL)
        pthread_cond_wait(&fixture->changed, &fixture->lock);
    pthread_mutex_unlock(&fixture->lock);
    if (fixture->refuse_nested)
        return CELLA_PERMISSION;
    struct waiting waiting = {.fixture = fixture};
    cella_instance_call_nested(fixture->instance, call_id, request, on_done, &waiting);
    struct answer answer = await(&waiting);
    if (answer.status != CELLA_OK)
        return answer.status;
    *ret_reply = malloc(answer.reply.size + 1);
    if (*ret_reply == NULL)
        return CELLA_NO_MEMORY;
    memcpy(*ret_reply, answer.reply.data, answer.reply.size);
    *ret_reply_size = answer.reply.size;
    return CELLA_OK;
}

enum cella_status fixture_start(struct fixture *fixture, const char *machine, const char *image,
                                struct cella_error *error) {
    return fixture_start_vault(fixture, machine, NULL, image, error);
}

enum cella_status fixture_start_vault(struct fixture *fixture, const char *machine, const char *vault,
                                      const char *image, struct cella_error *error) {
    *fixture = (struct fixture){.machine = machine, .vault = vault};
    pthread_mutex_init(&fixture->lock, NULL);
    pthread_cond_init(&fixture->changed, NULL);
    const struct cella_instance_options options = {
        .image_path = fixture_image(image),
        .machine_path = machine,
        .keeper_path = CELLA_TEST_KEEPER,
        .vault_path = vault,
        .events = {.context = fixture, .post = on_post, .call = on_call, .log = on_log, .ended = on_ended}};
    struct cella_instance *instance = NULL;
    enum cella_status status = cella_instance_start(&options, &instance, error);
    pthread_mutex_lock(&fixture->lock);
    fixture->instance = instance;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
    return status;
}

void fixture_free(struct fixture *fixture) {
    cella_instance_free(fixture->instance);
    fixture->instance = NULL;
}

struct answer fixture_call(struct fixture *fixture, const char *text) {
    struct waiting waiting = {.fixture = fixture};
    cella_instance_call(fixture->instance, CELLA_BYTES(text, strlen(text)), on_done, &waiting);
    return await(&waiting);
}

struct answer fixture_mail(struct fixture *fixture, struct cella_bytes mail) {
    static const uint8_t route[CELLA_ROUTE_SIZE] = {1};
    struct waiting waiting = {.fixture = fixture};
    cella_instance_mail(fixture->instance, route, mail, on_done, &waiting);
    return await(&waiting);
}

struct answer fixture_report(struct fixture *fixture, const uint8_t *nonce) {
    struct waiting waiting = {.fixture = fixture};
    cella_instance_report(fixture->instance, nonce, on_done, &waiting);
    return await(&waiting);
}

enum cella_status fixture_await_end(struct fixture *fixture) {
    pthread_mutex_lock(&fixture->lock);
    while (!fixture->ended)
        pthread_cond_wait(&fixture->changed, &fixture->lock);
    pthread_mutex_unlock(&fixture->lock);
    return fixture->end_status;
}

bool fixture_logged(struct fixture *fixture, const char *line) {
    bool found = false;
    pthread_mutex_lock(&fixture->lock);
    for (unsigned i = 0; i < fixture->line_count; i++)
        found = found || strcmp(fixture->lines[i], line) == 0;
    pthread_mutex_unlock(&fixture->lock);
    return found;
}

void fixture_put(struct fixture *fixture, struct cella_frame frame, const void *payload, size_t size) {
    struct cella_instance *instance = fixture->instance;
    struct cella_bytes part = CELLA_BYTES(payload, size);
    frame.size = (uint32_t)size;
    pthread_mutex_lock(&instance->send_lock);
    (void)cella_ring_put(&instance->request_ring, frame, &part, 1);
    pthread_mutex_unlock(&instance->send_lock);
    /* Wakes all: which thread waits for the rest of a message is not known here. */
    struct cella_ring_shared *shared = &instance->door->requests;
    __atomic_fetch_add(&shared->data_bell, 1, __ATOMIC_SEQ_CST);
    cella_instance_park.wake(&shared->data_bell, INT_MAX);
}

void fixture_ends_as_broken(struct fixture *fixture, const char *what) {
    enum cella_status end = fixture_await_end(fixture);
    if (end != CELLA_DOOR_BROKEN)
        fail_msg("%s ended with %s: %s", what, cella_status_name(end), fixture->end_reason);
    fixture_free(fixture);
}
