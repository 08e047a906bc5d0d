/* From main() to the end of the instance: settings, keys, the start hook, threads, and the loop that serves.
 */
#include "enclave/runtime.h"
#include "base/error.h"
#include "enclave/inside.h"
#include "enclave/log.h"
#include <limits.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cella_runtime cella_runtime = {.post_lock = PTHREAD_MUTEX_INITIALIZER,
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
    const struct cella_mailbox_options options = {.session_key = &cella_runtime.session_key,
                                                  .limits = {.max_mail_size = settings->max_mail_size,
                                                             .max_senders = settings->max_senders,
                                                             .max_sessions = settings->max_sessions,
                                                             .max_topics = settings->max_topics}};
    return cella_mailbox_new(&options, &cella_runtime.mailbox, error);
}

/* The first message must be START and carries the TARGETINFO of the machine's quoting enclave. */
static void await_start(uint8_t *buffer) {
    struct cella_incoming incoming;
    if (!cella_channel_receive(&incoming, buffer) || incoming.more ||
        incoming.chunk.size != CELLA_TARGET_INFO_SIZE)
        cella_end(CELLA_DOOR_BROKEN, 7);
    memcpy(cella_runtime.quoting_target, incoming.chunk.data, CELLA_TARGET_INFO_SIZE);
    cella_channel_finish();
}

static enum cella_status start_program(struct cella_error *error) {
    enum cella_status status = cella_runtime_make_identity(error);
    if (status == CELLA_OK)
        status = make_mailbox(error);
    if (status == CELLA_OK && cella_runtime.program->start != NULL &&
        cella_runtime.program->start(NULL) != CELLA_OK)
        status = cella_fail(error, CELLA_HANDLER_FAILED, "the enclave's start hook failed");
    return status;
}

static void tell_ready(void) {
    uint8_t out[CELLA_REPORT_SIZE + CELLA_STATEMENT_SIZE_MAX];
    struct cella_bytes part = CELLA_BYTES(out, cella_runtime_report(NULL, out));
    cella_channel_send(CELLA_FRAME_READY, 0, &part, 1);
    cella_channel_set_phase(CELLA_PHASE_SERVING);
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
    await_start(buffer);
    struct cella_error error = {.message = ""};
    enum cella_status status = start_program(&error);
    if (status != CELLA_OK) {
        cella_channel_answer(CELLA_FRAME_START_FAILED, 0, status,
                             CELLA_BYTES(error.message, strlen(error.message)));
        cella_end(status, 0);
    }
    tell_ready();
    if (enclave->thread_safe && cella_runtime.settings.thread_count > 1)
        start_threads();
    serve(buffer);
    return 0;
}
