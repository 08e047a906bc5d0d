/* From main() to the end of the instance: settings, keys, the start hook, threads, and the loop that serves.
 */
#include "enclave/runtime.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include "enclave/inside.h"
#include "enclave/log.h"
#include "state/report.h"
#include <limits.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of an instance's own clock, below the epoch. */
enum { CLOCK_BITS = 40 };

struct cella_runtime cella_runtime = {.post_lock = PTHREAD_MUTEX_INITIALIZER,
                                      .after_lock = PTHREAD_MUTEX_INITIALIZER,
                                      .waiters_lock = PTHREAD_MUTEX_INITIALIZER,
                                      .request_finished = PTHREAD_COND_INITIALIZER};

void cella_log(const char *format, ...) {
    if (!cella_runtime.settings.debug)
        return;
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (size > 0)
        cella_log_bytes(line, (size_t)size < sizeof line ? (size_t)size : sizeof line - 1);
}

static enum cella_status read_settings(void) {
    const struct cella_thread_page *thread = cella_thread_data();
    const uint8_t *page = cella_image_base() + thread->settings;
    return cella_settings_read(CELLA_BYTES(page, thread->settings_size), &cella_runtime.settings, NULL);
}

static enum cella_status make_mailbox(struct cella_error *error) {
    const struct cella_settings *settings = &cella_runtime.settings;
    const struct cella_vault *vault = cella_runtime.vault;
    struct cella_mailbox_options options = {.session_key = &cella_runtime.session_key,
                                            .limits = {.max_mail_size = settings->max_mail_size,
                                                       .max_senders = settings->max_senders,
                                                       .max_sessions = settings->max_sessions,
                                                       .max_topics = settings->max_topics,
                                                       .max_stored_reply = settings->max_stored_reply,
                                                       .max_stored_bytes = settings->max_stored_bytes,
                                                       .max_outbox = settings->max_outbox}};
    if (vault != NULL) {
        options.keep = &cella_runtime_keep;
        /* No epoch comes twice, so no instance gives what an earlier one gave. */
        options.first_clock = cella_vault_epoch(vault) << CLOCK_BITS;
    }
    return cella_mailbox_new(&options, &cella_runtime.mailbox, error);
}

/* The first message must be START: the TARGETINFO of the machine's quoting enclave, and what to do about a
 * vault. */
static enum cella_vault_mode await_start(uint8_t *buffer) {
    struct cella_incoming incoming;
    struct cella_reader reader;
    if (!cella_channel_receive(&incoming, buffer) || incoming.more || incoming.type != CELLA_FRAME_START)
        cella_end(CELLA_DOOR_BROKEN, 7);
    cella_reader_init(&reader, incoming.chunk);
    cella_read_copy(&reader, cella_runtime.quoting_target, sizeof cella_runtime.quoting_target);
    uint8_t mode = cella_read_u8(&reader);
    if (!cella_reader_done(&reader) || mode > CELLA_VAULT_MODE_CHECK)
        cella_end(CELLA_DOOR_BROKEN, 7);
    cella_channel_finish();
    return (enum cella_vault_mode)mode;
}

/* Works for the vault until nothing waits for its store. Nothing else may come before the instance serves. */
static void settle(uint8_t *buffer) {
    struct cella_incoming incoming;
    while (cella_runtime.vault != NULL && cella_vault_busy(cella_runtime.vault) &&
           cella_channel_receive(&incoming, buffer)) {
        if (incoming.type != CELLA_FRAME_STORE_WRITTEN)
            cella_end(CELLA_DOOR_BROKEN, 11);
        cella_runtime_dispatch(&incoming, buffer);
    }
}

/* The mailbox and the start hook, in one transaction. Posts of the hook lie in the outbox until their
 * recipients open a session. */
static enum cella_status start_program(struct cella_error *error) {
    struct cella_transaction transaction;
    cella_transaction_init(&transaction, NULL);
    transaction.has_reply = true; /* there is nobody to reply to */
    enum cella_status status = cella_transaction_begin(&transaction, error);
    if (status == CELLA_OK)
        status = make_mailbox(error);
    if (status == CELLA_OK && cella_runtime.program->start != NULL &&
        cella_runtime.program->start(&transaction) != CELLA_OK)
        status = cella_fail(error, CELLA_HANDLER_FAILED, "the enclave's start hook failed");
    if (status == CELLA_OK && transaction.broken)
        status = cella_fail(error, CELLA_FAILED, "a post of the enclave's start hook failed");
    while (transaction.scans != NULL)
        (void)cella_scan_free(transaction.scans);
    if (status != CELLA_OK)
        cella_transaction_abort(&transaction);
    else if (transaction.access == CELLA_ACCESS_WRITE)
        status = cella_vault_commit(cella_runtime.vault, NULL);
    /* It is durable before the instance is ready, and later work runs after that. */
    if (status == CELLA_OK)
        cella_runtime_add_after(&transaction);
    cella_transaction_deinit(&transaction);
    return status;
}

static enum cella_status start_all(uint8_t *buffer, enum cella_vault_mode mode, struct cella_error *error) {
    enum cella_status status = cella_runtime_start_vault(mode, error);
    if (status == CELLA_OK)
        status = cella_runtime_make_identity(error);
    if (status == CELLA_OK)
        status = start_program(error);
    if (status == CELLA_OK)
        settle(buffer);
    return status;
}

bool cella_runtime_is_parallel(void) {
    return cella_runtime.program->thread_safe && cella_runtime.settings.thread_count > 1;
}

static bool waits_for_more(void) {
    return cella_vault_is_gathering(cella_runtime.vault);
}

static void on_idle(void) {
    cella_vault_gathered(cella_runtime.vault);
}

static void tell_ready(void) {
    uint8_t out[CELLA_REPORT_SIZE + CELLA_STATEMENT_SIZE_MAX];
    uint8_t vault[CELLA_VAULT_REPORT_SIZE];
    uint8_t size[4];
    size_t total = cella_runtime_report(NULL, out);
    struct cella_writer writer;
    cella_writer_init(&writer, size, sizeof size);
    cella_write_u32(&writer, (uint32_t)(total - CELLA_REPORT_SIZE));
    if (cella_runtime.vault != NULL)
        cella_vault_report_write(&cella_runtime.vault_report, vault);
    const struct cella_bytes parts[] = {CELLA_BYTES(out, CELLA_REPORT_SIZE), CELLA_BYTES(size, sizeof size),
                                        CELLA_BYTES(out + CELLA_REPORT_SIZE, total - CELLA_REPORT_SIZE),
                                        CELLA_BYTES(vault, cella_runtime.vault != NULL ? sizeof vault : 0)};
    cella_channel_send(CELLA_FRAME_READY, 0, parts, 4);
    cella_channel_set_phase(CELLA_PHASE_SERVING);
    cella_runtime.serving = true;
}

static void serve(uint8_t *buffer) {
    struct cella_incoming incoming;
    cella_channel_join();
    while (cella_channel_receive(&incoming, buffer))
        cella_runtime_dispatch(&incoming, buffer);
    /* Another thread closes, and only that one ends the instance. */
    (void)cella_exit(CELLA_EXIT_IDLE, 0, 0);
}

static void *thread_main(void *buffer) {
    serve(buffer);
    return NULL;
}

/* The measured threads beyond the first, each on its own measured stack. */
static void start_threads(void) {
    const struct cella_thread_page *first = cella_thread_data();
    uint64_t threads_start = first->heap + first->heap_size;
    uint64_t thread_size = first->tcs + TD_PAGE_SIZE - threads_start;
    for (uint64_t i = 1; i < first->threads; i++) {
        uint8_t *stack = (uint8_t *)(uintptr_t)cella_image_base() + first->stack_low + i * thread_size;
        pthread_attr_t attributes;
        pthread_t ignored;
        void *buffer = malloc(CELLA_DOOR_FRAME_MAX);
        if (buffer == NULL || pthread_attr_init(&attributes) != 0 ||
            pthread_attr_setstack(&attributes, stack, first->stack_top - first->stack_low) != 0 ||
            pthread_create(&ignored, &attributes, thread_main, buffer) != 0)
            cella_end(CELLA_NO_MEMORY, i);
        pthread_attr_destroy(&attributes);
    }
    (void)cella_exit(CELLA_EXIT_THREADS, 0, 0);
}

int cella_enclave_run(const struct cella_enclave *enclave) {
    cella_runtime.program = enclave;
    /* A second arena would take 64 MiB of address range; giving memory back and asking for it again are
     * trapped system calls for nothing, as the heap is ours anyway. */
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
    (void)mallopt(M_TOP_PAD, 1 << 20);
    if (read_settings() != CELLA_OK)
        cella_end(CELLA_INTERNAL, 0);
    cella_inside_debug = cella_runtime.settings.debug;
    cella_channel_init(cella_runtime.settings.debug);
    uint8_t *buffer = malloc(CELLA_DOOR_FRAME_MAX);
    if (buffer == NULL)
        cella_end(CELLA_NO_MEMORY, 0);
    enum cella_vault_mode mode = await_start(buffer);
    struct cella_error error = {.message = ""};
    enum cella_status status = start_all(buffer, mode, &error);
    if (status != CELLA_OK) {
        cella_channel_answer(CELLA_FRAME_START_FAILED, 0, status,
                             CELLA_BYTES(error.message, strlen(error.message)));
        cella_end(status, 0);
    }
    tell_ready();
    cella_runtime_run_after();
    if (cella_runtime.vault != NULL && !cella_runtime_is_parallel())
        cella_channel_when_idle(waits_for_more, on_idle);
    if (cella_runtime_is_parallel())
        start_threads();
    serve(buffer);
    return 0;
}
