/* The keeper: starts one instance of one image on one machine, watches over it, and tells the host how it
 * ended. It holds the machine; the instance process, which it makes, never does. Must not outlive the host or
 * leave the instance. */
#include "base/error.h"
#include "base/file.h"
#include "enclave/exit.h"
#include "enclave/log.h"
#include "keeper/keeper.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint8_t *image_file;
static struct cella_image image;
static struct cella_machine *machine;
static struct cella_machine_identity identity;
static struct keeper_shared *shared;

static void tell(const struct cella_control_message *message) {
    /* A host that is gone needs no message. */
    (void)send(CELLA_KEEPER_CONTROL_FD, message, sizeof *message, MSG_NOSIGNAL);
}

static _Noreturn void tell_end(enum cella_status status, const char *reason) {
    struct cella_control_message message = {.kind = CELLA_CONTROL_ENDED, .status = (uint32_t)status};
    (void)snprintf(message.reason, sizeof message.reason, "%s", reason);
    tell(&message);
    exit(status == CELLA_OK ? 0 : 1);
}

/* The file is read once; what is measured and what is loaded are both this memory, which nobody else can
 * change. */
static enum cella_status open_image(const char *path, struct cella_error *error) {
    size_t size = 0;
    enum cella_status status = cella_file_read(path, CELLA_IMAGE_SIZE_LIMIT, &image_file, &size, error);
    if (status == CELLA_OK)
        status = cella_image_open(CELLA_BYTES(image_file, size), &image, error);
    if (status != CELLA_OK)
        return status;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory to talk to the instance");
    return CELLA_OK;
}

static void set_stage(enum keeper_stage stage) {
    __atomic_store_n(&shared->stage, (uint32_t)stage, __ATOMIC_SEQ_CST);
    keeper_futex_wake(&shared->stage, 1);
}

/* Waits until the instance has left `before`, or has died. */
static enum cella_status await_stage(pid_t child, enum keeper_stage before, struct cella_error *error) {
    while (__atomic_load_n(&shared->stage, __ATOMIC_SEQ_CST) == (uint32_t)before) {
        /* The child's end must be noticed too, so the sleep has a limit. */
        struct timespec limit = {.tv_nsec = 20 * 1000 * 1000};
        (void)syscall(SYS_futex, &shared->stage, 0, before, &limit, NULL, 0);
        int state;
        if (waitpid(child, &state, WNOHANG) == child &&
            __atomic_load_n(&shared->stage, __ATOMIC_SEQ_CST) == (uint32_t)before)
            return cella_fail(error, CELLA_KEEPER, "the instance process ended while it was being loaded");
    }
    if (__atomic_load_n(&shared->stage, __ATOMIC_SEQ_CST) != KEEPER_REFUSED)
        return CELLA_OK;
    shared->failed_message[sizeof shared->failed_message - 1] = '\0';
    return cella_fail(error, (enum cella_status)shared->failed_status, "%s", shared->failed_message);
}

/* EINIT: the machine compares what was measured with what was signed. */
static enum cella_status launch(const uint8_t code_hash[32], struct cella_error *error) {
    struct cella_machine_launch request = {.sigstruct = image.sigstruct_bytes.data,
                                           .flags = CELLA_ATTRIBUTE_MODE64BIT |
                                                    (image.settings.debug ? CELLA_ATTRIBUTE_DEBUG : 0),
                                           .xfrm = 3};
    memcpy(request.code_hash, code_hash, sizeof request.code_hash);
    return cella_machine_launch(machine, &request, &identity, error);
}

static void tell_started(pid_t child) {
    struct cella_control_message message = {.kind = CELLA_CONTROL_STARTED,
                                            .product_id = identity.isv_prod_id,
                                            .security_version = identity.isv_svn,
                                            .debug = (identity.flags & CELLA_ATTRIBUTE_DEBUG) != 0,
                                            .sandbox = shared->sandbox,
                                            .process = (uint32_t)child,
                                            .max_mail_size = image.settings.max_mail_size,
                                            .max_queued = image.settings.max_queued,
                                            .vault_kind = image.settings.vault_kind};
    memcpy(message.code_hash, identity.code_hash, sizeof message.code_hash);
    memcpy(message.code_signer, identity.code_signer, sizeof message.code_signer);
    tell(&message);
}

struct opening {
    const char *path;
    enum cella_status status;
    struct cella_error error;
};

static void *open_main(void *opaque) {
    struct opening *opening = opaque;
    opening->status = cella_machine_open(opening->path, &machine, &opening->error);
    return NULL;
}

static void *machine_main(void *unused) {
    keeper_machine_serve(shared, machine, &identity);
    return NULL;
}

static const char *detail_text(uint64_t detail, char *text, size_t size) {
    static const char *const words[] = {
        [0] = "divide error",        [3] = "breakpoint",
        [6] = "invalid instruction", [13] = "protection fault",
        [14] = "memory fault",       [16] = "floating-point error",
        [17] = "misaligned access",  [19] = "floating-point error",
    };
    uint64_t vector = detail >> 48;
    const char *word =
        vector < sizeof words / sizeof words[0] && words[vector] != NULL ? words[vector] : "fault";
    if (detail == 0 || detail == CELLA_DETAIL_HIDDEN)
        return "the enclave program crashed; a release image does not say where";
    if (detail == CELLA_DETAIL_ABORT)
        return "the enclave program called abort";
    if (detail == CELLA_DETAIL_SIGNAL)
        return "the enclave program sent itself a signal";
    (void)snprintf(text, size, "the enclave program crashed: %s at offset 0x%llx of the image", word,
                   (unsigned long long)(detail & 0xffffffffffffULL));
    return text;
}

static _Noreturn void report_end(int state) {
    char text[192];
    struct keeper_shared copy;
    memcpy(&copy, shared, sizeof copy);
    copy.failed_message[sizeof copy.failed_message - 1] = '\0';
    if (copy.ended != 2) {
        (void)snprintf(text, sizeof text, "the instance process was ended by signal %d",
                       WIFSIGNALED(state) ? WTERMSIG(state) : 0);
        tell_end(WIFSIGNALED(state) && WTERMSIG(state) == SIGKILL ? CELLA_INTERRUPTED : CELLA_CRASHED, text);
    }
    enum cella_status status = (enum cella_status)copy.end_status;
    if (status == CELLA_OK)
        tell_end(status, "closed in order");
    if (status == CELLA_CRASHED)
        tell_end(status, detail_text(copy.end_detail, text, sizeof text));
    if (status == CELLA_KEEPER && copy.failed_status != 0)
        tell_end(status, copy.failed_message);
    (void)snprintf(text, sizeof text, "%s (detail %llu)", cella_status_sentence(status),
                   (unsigned long long)copy.end_detail);
    tell_end(status, text);
}

/* Until the instance ends, or the host has gone, which ends it. */
static _Noreturn void watch(pid_t child) {
    int child_fd = (int)syscall(SYS_pidfd_open, child, 0);
    if (child_fd < 0) {
        kill(child, SIGKILL);
        tell_end(CELLA_KEEPER, "cannot watch the instance process");
    }
    struct pollfd fds[] = {{.fd = child_fd, .events = POLLIN},
                           {.fd = CELLA_KEEPER_CONTROL_FD, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            kill(child, SIGKILL);
        if (fds[1].revents != 0) {
            kill(child, SIGKILL);
            fds[1].fd = -1;
            fds[1].revents = 0;
        }
        int state;
        if (fds[0].revents != 0 && waitpid(child, &state, 0) == child)
            report_end(state);
    }
}

int main(int count, char **arguments) {
    struct cella_error error = {.message = ""};
    if (count != 3) {
        fputs("cella-keeper is started by a Cella host, with an image and a machine\n", stderr);
        return cella_status_exit_code(CELLA_USAGE);
    }
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    enum cella_status status = open_image(arguments[1], &error);
    if (status != CELLA_OK)
        tell_end(status, error.message);
    /* Before the instance process is made, which cannot open anything later. Without it counters are slow,
     * and the machine says at their first use what is wrong with them. */
    struct cella_bytes counters = {0};
    (void)cella_machine_counters_map(arguments[2], &counters, NULL);
    bool namespaces = false;
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    pid_t child = self < 0 ? -1 : keeper_clone(&namespaces);
    if (child == 0)
        keeper_instance_main(&image, shared, counters, namespaces, self);
    if (child < 0)
        tell_end(CELLA_KEEPER, "cannot make the instance process");
    if (namespaces && keeper_map_user(child))
        shared->sandbox = CELLA_SANDBOX_OWN_USER;
    set_stage(KEEPER_MAPPED_USER);
    /* While the instance process confines itself and loads, the machine measures; opening it meanwhile takes
     * what libcrypto needs for its own start off the way. */
    uint8_t code_hash[CELLA_SHA256_SIZE];
    struct opening opening = {.path = arguments[2]};
    pthread_t opener;
    bool opens = pthread_create(&opener, NULL, open_main, &opening) == 0;
    if (!opens)
        open_main(&opening);
    cella_image_measure(&image, code_hash);
    if (opens)
        pthread_join(opener, NULL);
    error = opening.error;
    status = opening.status;
    if (status == CELLA_OK)
        status = await_stage(child, KEEPER_MAPPED_USER, &error);
    if (status == CELLA_OK)
        status = launch(code_hash, &error);
    pthread_t ignored;
    if (status == CELLA_OK && pthread_create(&ignored, NULL, machine_main, NULL) != 0)
        status = cella_fail(&error, CELLA_KEEPER, "cannot start the machine's thread");
    if (status != CELLA_OK) {
        kill(child, SIGKILL);
        tell_end(status, error.message);
    }
    tell_started(child);
    set_stage(KEEPER_LAUNCHED);
    free(image_file);
    watch(child);
}
