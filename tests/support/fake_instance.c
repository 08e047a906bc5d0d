/* The fake instance. Must not: be linked with the real one's users outside tests. */
#include "support/fake_instance.h"
#include "attest/statement.h"
#include "base/error.h"
#include "host/worker.h"
#include "machine/machine.h"
#include "mail/mailbox.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct cella_instance {
    struct cella_instance_events events;
    struct cella_instance_info info;
    struct cella_worker worker;
    struct cella_machine *machine;
    struct cella_machine_identity identity;
    bool raw;
    bool stuck;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool mute;
    bool ended;
    enum cella_status storage;
    struct request *silent; /* answered at the end */
    struct cella_x25519_key session_key;
    struct cella_mailbox *mailbox;
    uint8_t statement[CELLA_STATEMENT_SIZE_MAX];
    size_t statement_size;
};

enum kind { KIND_MAIL, KIND_CALL, KIND_REPORT };

struct request {
    struct cella_job job;
    struct cella_instance *instance;
    struct request *next;
    enum kind kind;
    cella_instance_done *done;
    void *context;
    uint8_t route[CELLA_ROUTE_SIZE];
    uint8_t nonce[32];
    bool has_nonce;
    size_t size;
    uint8_t data[];
};

static _Atomic(struct cella_instance *) newest;
static _Atomic unsigned alive;
static _Atomic unsigned handled;
static _Atomic unsigned code_value = 0x11;
static _Atomic unsigned closing, closing_peak;

struct cella_instance *cella_fake_newest(void) {
    return atomic_load(&newest);
}

unsigned cella_fake_alive(void) {
    return atomic_load(&alive);
}

unsigned cella_fake_handled(void) {
    return atomic_load(&handled);
}

unsigned cella_fake_closing_peak(void) {
    return atomic_exchange(&closing_peak, 0);
}

void cella_fake_set_code(uint8_t value) {
    atomic_store(&code_value, value);
}

static bool is_image(const char *path, const char *name) {
    const char *slash = strrchr(path, '/');
    return strcmp(slash == NULL ? path : slash + 1, name) == 0;
}

static enum cella_status make_keys(struct cella_instance *instance, struct cella_error *error) {
    enum cella_status status = cella_x25519_generate(&instance->session_key);
    struct cella_mailbox_options options = {.session_key = &instance->session_key};
    if (status == CELLA_OK)
        status = cella_mailbox_new(&options, &instance->mailbox, error);
    struct cella_statement statement = {.freshness = CELLA_FRESHNESS_NONE};
    memcpy(statement.session_key, instance->session_key.public_key, sizeof statement.session_key);
    memset(statement.signing_key, 7, sizeof statement.signing_key);
    if (status == CELLA_OK)
        status = cella_statement_write(&statement, instance->statement, sizeof instance->statement,
                                       &instance->statement_size, error);
    return status;
}

static void name_identity(struct cella_instance *instance) {
    struct cella_machine_identity *identity = &instance->identity;
    memset(identity->code_hash, (int)atomic_load(&code_value), sizeof identity->code_hash);
    memset(identity->code_signer, 0x22, sizeof identity->code_signer);
    identity->flags = CELLA_ATTRIBUTE_INIT | CELLA_ATTRIBUTE_MODE64BIT;
    identity->xfrm = 3;
    identity->isv_prod_id = 10;
    identity->isv_svn = 2;
    memcpy(instance->info.code_hash, identity->code_hash, sizeof identity->code_hash);
    memcpy(instance->info.code_signer, identity->code_signer, sizeof identity->code_signer);
    instance->info.product_id = 10;
    instance->info.security_version = 2;
    instance->info.process_id = 1;
}

static void make_vault(struct cella_instance *instance, const char *path) {
    (void)mkdir(path, 0700);
    instance->info.has_vault = 1;
    instance->info.vault = (struct cella_vault_report){.lineage = 1,
                                                       .now = {.epoch = 4, .version = 1897},
                                                       .snapshot_version = 1800,
                                                       .records = 97,
                                                       .keys = 12,
                                                       .state_size = 3456};
    memset(instance->info.vault.vault_id, 0x5a, sizeof instance->info.vault.vault_id);
}

void cella_fake_storage(struct cella_instance *instance, enum cella_status status, const char *message) {
    pthread_mutex_lock(&instance->lock);
    instance->storage = status;
    pthread_mutex_unlock(&instance->lock);
    instance->events.storage(instance->events.context, status, message);
}

void cella_instance_vault(struct cella_instance *instance, struct cella_instance_vault *ret_vault) {
    memset(ret_vault, 0, sizeof *ret_vault);
    pthread_mutex_lock(&instance->lock);
    ret_vault->storage.status = instance->storage;
    pthread_mutex_unlock(&instance->lock);
    if (instance->info.has_vault)
        ret_vault->version = 1900;
}

enum cella_status cella_instance_start(const struct cella_instance_options *options,
                                       struct cella_instance **ret_instance, struct cella_error *error) {
    if (is_image(options->image_path, "stale"))
        return cella_fail(error, CELLA_VAULT_STALE, "this copy: epoch 3; newest: epoch 4");
    if (is_image(options->image_path, "kept") && options->vault_path == NULL)
        return cella_fail(error, CELLA_VAULT_NEEDED, "the fake image keeps state");
    if (is_image(options->image_path, "broken"))
        return cella_fail(error, CELLA_KEEPER, "the fake image is broken");
    struct cella_instance *instance = calloc(1, sizeof *instance);
    instance->events = options->events;
    instance->raw = !is_image(options->image_path, "mail");
    instance->mute = is_image(options->image_path, "mute");
    instance->stuck = is_image(options->image_path, "stuck");
    pthread_mutex_init(&instance->lock, NULL);
    pthread_cond_init(&instance->changed, NULL);
    name_identity(instance);
    if (is_image(options->image_path, "kept"))
        make_vault(instance, options->vault_path);
    enum cella_status status = cella_machine_open(options->machine_path, &instance->machine, error);
    if (status == CELLA_OK)
        status = make_keys(instance, error);
    if (status == CELLA_OK)
        status = cella_worker_init(&instance->worker, error);
    atomic_fetch_add(&alive, 1);
    instance->started = status == CELLA_OK;
    if (status != CELLA_OK) {
        cella_instance_free(instance);
        return status;
    }
    atomic_store(&newest, instance);
    if (is_image(options->image_path, "early"))
        cella_fake_crash(instance, "early end");
    *ret_instance = instance;
    return CELLA_OK;
}

const struct cella_instance_info *cella_instance_info(const struct cella_instance *instance) {
    return &instance->info;
}

static void answer(struct request *request, enum cella_status status, const char *message,
                   struct cella_bytes reply) {
    request->done(request->context, status, message, reply);
    free(request);
}

static void report(struct request *request) {
    struct cella_instance *instance = request->instance;
    uint8_t target[CELLA_TARGET_INFO_SIZE], data[CELLA_REPORT_DATA_SIZE];
    uint8_t out[CELLA_REPORT_SIZE + CELLA_STATEMENT_SIZE_MAX];
    struct cella_error error = {.status = CELLA_OK};
    cella_statement_report_data(CELLA_BYTES(instance->statement, instance->statement_size),
                                request->has_nonce ? request->nonce : NULL, data);
    enum cella_status status = cella_machine_target_info(instance->machine, target, &error);
    if (status == CELLA_OK)
        status = cella_machine_report(instance->machine, &instance->identity, target, data, out, &error);
    memcpy(out + CELLA_REPORT_SIZE, instance->statement, instance->statement_size);
    answer(request, status, error.message,
           status == CELLA_OK ? CELLA_BYTES(out, CELLA_REPORT_SIZE + instance->statement_size)
                              : CELLA_BYTES(NULL, 0));
}

static bool says(const struct request *request, const char *word) {
    return request->size == strlen(word) && memcmp(request->data, word, request->size) == 0;
}

static void answer_raw(struct request *request) {
    if (says(request, "fail"))
        answer(request, CELLA_HANDLER_FAILED, "the fake handler refused", CELLA_BYTES(NULL, 0));
    else if (says(request, "none"))
        answer(request, CELLA_OK, "", CELLA_BYTES(NULL, 0));
    else
        answer(request, CELLA_OK, "", CELLA_BYTES(request->data, request->size));
}

static void post_back(struct cella_instance *instance, const struct cella_mail *view) {
    struct cella_mailbox_prepared *prepared = NULL;
    struct cella_mailbox_post post;
    if (cella_mailbox_post_prepare(instance->mailbox, view->sender, "posts", view->body, &prepared, NULL) !=
        CELLA_OK)
        return;
    CELLA_ASSERT(cella_mailbox_post_seal(prepared, (struct cella_bytes){0}, &post) == CELLA_OK);
    instance->events.post(instance->events.context, post.route, post.bytes);
    free((void *)(uintptr_t)post.bytes.data);
}

static enum cella_status run_handler(struct cella_instance *instance, struct cella_mailbox_mail *mail,
                                     struct cella_bytes *reply, bool *ret_replies) {
    const struct cella_mail *view = cella_mailbox_mail_view(mail);
    atomic_fetch_add(&handled, 1);
    if (strcmp(view->topic, "refuse") == 0) {
        cella_mailbox_mail_abort(mail);
        return CELLA_HANDLER_FAILED;
    }
    *ret_replies = strcmp(view->topic, "quiet") != 0;
    *reply = view->body;
    enum cella_status status = cella_mailbox_mail_commit(mail, *ret_replies ? reply : NULL);
    if (status == CELLA_OK && strcmp(view->topic, "post") == 0)
        post_back(instance, view);
    return status;
}

static void answer_mail(struct request *request) {
    struct cella_instance *instance = request->instance;
    struct cella_mailbox_mail *mail = NULL;
    struct cella_error error = {.status = CELLA_OK};
    struct cella_bytes reply = {.size = 0};
    enum cella_mailbox_verdict verdict = CELLA_MAILBOX_HELLO;
    bool replies = false;
    uint8_t *out = NULL;
    uint64_t size = 0;
    enum cella_status status = cella_mailbox_mail_new(instance->mailbox, request->route, &mail);
    if (status == CELLA_OK)
        status = cella_mailbox_mail_feed(mail, CELLA_BYTES(request->data, request->size), &error);
    if (status == CELLA_OK)
        status = cella_mailbox_mail_begin(mail, &verdict, &error);
    if (status == CELLA_OK && verdict == CELLA_MAILBOX_RUN)
        status = run_handler(instance, mail, &reply, &replies);
    if (status == CELLA_OK) {
        size = cella_mailbox_reply_size(mail, replies ? &reply : NULL, 0);
        out = malloc(size);
        status = cella_mailbox_reply_seal(mail, replies ? &reply : NULL, (struct cella_bytes){0}, out, size,
                                          &error);
    }
    answer(request, status, error.message,
           status == CELLA_OK ? CELLA_BYTES(out, size) : CELLA_BYTES(NULL, 0));
    free(out);
    cella_mailbox_mail_free(mail);
}

/* On the instance's thread. */
static void serve(struct cella_job *job) {
    struct request *request = (struct request *)job;
    struct cella_instance *instance = request->instance;
    pthread_mutex_lock(&instance->lock);
    bool ended = instance->ended;
    bool silent = !ended && ((request->kind == KIND_REPORT && instance->mute) ||
                             (request->kind == KIND_MAIL && instance->raw && says(request, "silent")));
    if (silent) {
        request->next = instance->silent;
        instance->silent = request;
    }
    pthread_mutex_unlock(&instance->lock);
    if (silent)
        return;
    if (ended)
        answer(request, CELLA_CLOSED, "", CELLA_BYTES(NULL, 0));
    else if (request->kind == KIND_REPORT)
        report(request);
    else if (request->kind == KIND_CALL || instance->raw)
        answer_raw(request);
    else
        answer_mail(request);
}

static void submit(struct cella_instance *instance, struct request parts, struct cella_bytes bytes) {
    struct request *request = malloc(sizeof *request + bytes.size + 1);
    *request = parts;
    request->job.run = serve;
    request->instance = instance;
    request->size = bytes.size;
    if (bytes.size > 0)
        memcpy(request->data, bytes.data, bytes.size);
    cella_worker_submit(&instance->worker, &request->job);
}

void cella_instance_mail(struct cella_instance *instance, const uint8_t route[CELLA_ROUTE_SIZE],
                         struct cella_bytes mail, cella_instance_done *done, void *context) {
    struct request parts = {.kind = KIND_MAIL, .done = done, .context = context};
    memcpy(parts.route, route, sizeof parts.route);
    submit(instance, parts, mail);
}

void cella_instance_call(struct cella_instance *instance, struct cella_bytes request,
                         cella_instance_done *done, void *context) {
    submit(instance, (struct request){.kind = KIND_CALL, .done = done, .context = context}, request);
}

void cella_instance_call_nested(struct cella_instance *instance, uint64_t call_id, struct cella_bytes request,
                                cella_instance_done *done, void *context) {
    if (!instance->stuck) {
        cella_instance_call(instance, request, done, context);
        return;
    }
    pthread_mutex_lock(&instance->lock);
    while (!instance->ended)
        pthread_cond_wait(&instance->changed, &instance->lock);
    pthread_mutex_unlock(&instance->lock);
    done(context, CELLA_CLOSED, "", CELLA_BYTES(NULL, 0));
}

void cella_instance_report(struct cella_instance *instance, const uint8_t nonce[32],
                           cella_instance_done *done, void *context) {
    struct request parts = {
        .kind = KIND_REPORT, .done = done, .context = context, .has_nonce = nonce != NULL};
    if (nonce != NULL)
        memcpy(parts.nonce, nonce, sizeof parts.nonce);
    submit(instance, parts, CELLA_BYTES(NULL, 0));
}

static void end(struct cella_instance *instance, enum cella_status status, const char *reason) {
    pthread_mutex_lock(&instance->lock);
    bool first = !instance->ended;
    instance->ended = true;
    struct request *silent = instance->silent;
    instance->silent = NULL;
    pthread_cond_broadcast(&instance->changed);
    pthread_mutex_unlock(&instance->lock);
    while (silent != NULL) {
        struct request *next = silent->next;
        answer(silent, CELLA_CLOSED, "", CELLA_BYTES(NULL, 0));
        silent = next;
    }
    if (first && instance->events.ended != NULL)
        instance->events.ended(instance->events.context, status, reason);
}

void cella_fake_crash(struct cella_instance *instance, const char *reason) {
    end(instance, CELLA_CRASHED, reason);
}

void cella_fake_mute(struct cella_instance *instance, bool mute) {
    pthread_mutex_lock(&instance->lock);
    instance->mute = mute;
    struct request *silent = NULL;
    if (!mute) {
        silent = instance->silent;
        instance->silent = NULL;
    }
    pthread_mutex_unlock(&instance->lock);
    while (silent != NULL) {
        struct request *next = silent->next;
        cella_worker_submit(&instance->worker, &silent->job);
        silent = next;
    }
}

void cella_fake_post(struct cella_instance *instance, const uint8_t route[CELLA_ROUTE_SIZE],
                     struct cella_bytes mail) {
    instance->events.post(instance->events.context, route, mail);
}

enum cella_status cella_fake_call_host(struct cella_instance *instance, struct cella_bytes request,
                                       uint8_t **ret_reply, size_t *ret_reply_size) {
    return instance->events.call(instance->events.context, 1, request, ret_reply, ret_reply_size);
}

/* What "stuck" does instead of an orderly close. */
static void linger(struct cella_instance *instance, unsigned timeout_ms) {
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    int64_t ns = limit.tv_nsec + (int64_t)timeout_ms * 1000000;
    limit.tv_sec += (time_t)(ns / 1000000000);
    limit.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&instance->lock);
    while (!instance->ended &&
           pthread_cond_timedwait(&instance->changed, &instance->lock, &limit) != ETIMEDOUT)
        continue;
    pthread_mutex_unlock(&instance->lock);
}

void cella_instance_stop(struct cella_instance *instance, unsigned timeout_ms) {
    unsigned count = atomic_fetch_add(&closing, 1) + 1;
    unsigned peak = atomic_load(&closing_peak);
    while (count > peak && !atomic_compare_exchange_weak(&closing_peak, &peak, count))
        continue;
    if (instance->stuck)
        linger(instance, timeout_ms);
    end(instance, CELLA_OK, "stopped");
    atomic_fetch_sub(&closing, 1);
}

void cella_instance_free(struct cella_instance *instance) {
    if (instance == NULL)
        return;
    if (instance->started)
        end(instance, CELLA_OK, "freed");
    cella_worker_deinit(&instance->worker);
    cella_mailbox_free(instance->mailbox);
    cella_x25519_deinit(&instance->session_key);
    cella_machine_free(instance->machine);
    pthread_cond_destroy(&instance->changed);
    pthread_mutex_destroy(&instance->lock);
    struct cella_instance *expected = instance;
    atomic_compare_exchange_strong(&newest, &expected, NULL);
    atomic_fetch_sub(&alive, 1);
    free(instance);
}
