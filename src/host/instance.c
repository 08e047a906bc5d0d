/* One instance from the host's side: its keeper process, its threads, its end. Must not leave a process or a
 * thread behind: whoever frees the instance has waited for all of them. */
#include "host/instance_internal.h"
#include "base/error.h"
#include "keeper/control.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { START_LIMIT_S = 60 };

void cella_instance_set_ended(struct cella_instance *instance, enum cella_status status, const char *reason) {
    pthread_mutex_lock(&instance->lock);
    bool first = instance->state != INSTANCE_ENDED;
    if (first) {
        instance->state = INSTANCE_ENDED;
        instance->end_status = status;
        (void)snprintf(instance->end_reason, sizeof instance->end_reason, "%s", reason);
    }
    pthread_cond_broadcast(&instance->changed);
    pthread_mutex_unlock(&instance->lock);
    __atomic_store_n(&instance->ended, 1, __ATOMIC_SEQ_CST);
    /* Our end of the socket closing is what makes the keeper kill the instance. */
    (void)shutdown(instance->control_fd, SHUT_RDWR);
    struct cella_door_region *door = instance->door;
    struct cella_ring_shared *rings[] = {&door->requests, &door->replies};
    for (size_t i = 0; i < 2 + CELLA_DOOR_THREADS; i++) {
        struct cella_ring_shared *ring = i < 2 ? rings[i] : &door->threads[i - 2];
        __atomic_fetch_add(&ring->data_bell, 1, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&ring->space_bell, 1, __ATOMIC_SEQ_CST);
        cella_instance_park.wake(&ring->data_bell, INT_MAX);
        cella_instance_park.wake(&ring->space_bell, INT_MAX);
    }
    pthread_mutex_lock(&instance->send_lock);
    pthread_cond_broadcast(&instance->send_changed);
    pthread_mutex_unlock(&instance->send_lock);
}

/* The installed keeper, or the one beside the running program (a build folder). */
static bool find_keeper(char path[PATH_MAX]) {
    char self[PATH_MAX - 32];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    if (size > 0) {
        self[size] = '\0';
        char *slash = strrchr(self, '/');
        static const char *const places[] = {"cella-keeper", "../libexec/cella/cella-keeper",
                                             "../lib/cella/cella-keeper"};
        for (size_t i = 0; slash != NULL && i < sizeof places / sizeof places[0]; i++) {
            *slash = '\0';
            (void)snprintf(path, PATH_MAX, "%s/%s", self, places[i]);
            if (access(path, X_OK) == 0)
                return true;
        }
    }
    (void)snprintf(path, PATH_MAX, "/usr/libexec/cella/cella-keeper");
    return access(path, X_OK) == 0;
}

static enum cella_status make_door(struct cella_instance *instance, int *ret_fd, struct cella_error *error) {
    int fd = memfd_create("cella-door", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    /* The seals keep either side from cutting the region under the other. */
    if (fd < 0 || ftruncate(fd, sizeof *instance->door) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        if (fd >= 0)
            close(fd);
        return cella_fail(error, CELLA_NO_MEMORY, "cannot make the door: %s", strerror(errno));
    }
    void *door = mmap(NULL, sizeof *instance->door, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (door == MAP_FAILED) {
        close(fd);
        return cella_fail(error, CELLA_NO_MEMORY, "cannot map the door: %s", strerror(errno));
    }
    instance->door = door;
    *ret_fd = fd;
    return CELLA_OK;
}

static enum cella_status spawn_keeper(struct cella_instance *instance,
                                      const struct cella_instance_options *options, int door_fd,
                                      int control_fd, struct cella_error *error) {
    char found[PATH_MAX];
    const char *keeper = options->keeper_path;
    if (keeper == NULL && !find_keeper(found))
        return cella_fail(error, CELLA_NOT_FOUND,
                          "cella-keeper is not installed and not beside this program");
    if (keeper == NULL)
        keeper = found;
    char *const arguments[] = {(char *)"cella-keeper", (char *)(uintptr_t)options->image_path,
                               (char *)(uintptr_t)options->machine_path, NULL};
    char *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return CELLA_NO_MEMORY;
    int code = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    code = code != 0 ? code : posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    code = code != 0 ? code : posix_spawn_file_actions_adddup2(&actions, door_fd, CELLA_KEEPER_DOOR_FD);
    code = code != 0 ? code : posix_spawn_file_actions_adddup2(&actions, control_fd, CELLA_KEEPER_CONTROL_FD);
    code = code != 0 ? code : posix_spawn_file_actions_addclosefrom_np(&actions, CELLA_KEEPER_CONTROL_FD + 1);
    if (code == 0)
        code = posix_spawn(&instance->keeper, keeper, &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    if (code != 0)
        return cella_fail(error, CELLA_KEEPER, "cannot start %s: %s", keeper, strerror(code));
    return CELLA_OK;
}

static void note_started(struct cella_instance *instance, const struct cella_control_message *message) {
    pthread_mutex_lock(&instance->lock);
    memcpy(instance->info.code_hash, message->code_hash, sizeof instance->info.code_hash);
    memcpy(instance->info.code_signer, message->code_signer, sizeof instance->info.code_signer);
    instance->info.product_id = message->product_id;
    instance->info.security_version = message->security_version;
    instance->info.debug = message->debug != 0;
    instance->info.process_id = (int)instance->keeper;
    instance->info.instance_process_id = (int)message->process;
    instance->info.sandbox = message->sandbox;
    instance->info.vault_kind = message->vault_kind;
    instance->max_requests = message->max_queued;
    instance->vault_kind = message->vault_kind;
    /* Padding adds at most an eighth. The reader has seen no message yet: START is sent after this. */
    size_t limit = (size_t)(message->max_mail_size + message->max_mail_size / 8) + INSTANCE_MESSAGE_EXTRA;
    __atomic_store_n(&instance->message_limit,
                     limit < INSTANCE_MESSAGE_LEAST ? INSTANCE_MESSAGE_LEAST : limit, __ATOMIC_SEQ_CST);
    instance->told_started = true;
    pthread_cond_broadcast(&instance->changed);
    pthread_mutex_unlock(&instance->lock);
}

/* Listens to the keeper until it ends, then collects it. */
static void *control_main(void *opaque) {
    struct cella_instance *instance = opaque;
    struct cella_control_message message;
    enum cella_status status = CELLA_INTERRUPTED;
    char reason[256] = "the keeper was ended from outside";
    for (;;) {
        ssize_t size = recv(instance->control_fd, &message, sizeof message, MSG_WAITALL);
        if (size < 0 && errno == EINTR)
            continue;
        if (size != (ssize_t)sizeof message)
            break;
        if (message.kind == CELLA_CONTROL_STARTED)
            note_started(instance, &message);
        if (message.kind == CELLA_CONTROL_ENDED) {
            message.reason[sizeof message.reason - 1] = '\0';
            memcpy(reason, message.reason, sizeof reason);
            status = (enum cella_status)message.status;
        }
    }
    (void)shutdown(instance->control_fd, SHUT_RDWR);
    int state;
    while (waitpid(instance->keeper, &state, 0) < 0 && errno == EINTR) {
    }
    cella_instance_set_ended(instance, status, reason);
    return NULL;
}

static enum cella_status start_threads(struct cella_instance *instance) {
    instance->has_control = pthread_create(&instance->control, NULL, control_main, instance) == 0;
    if (instance->has_control)
        instance->has_reader =
            pthread_create(&instance->reader, NULL, cella_instance_reader_main, instance) == 0;
    return instance->has_reader ? CELLA_OK : CELLA_NO_MEMORY;
}

static enum cella_status send_start(struct cella_instance *instance, struct cella_error *error) {
    uint8_t target[CELLA_TARGET_INFO_SIZE];
    enum cella_status status = cella_machine_target_info(instance->machine, target, error);
    if (status != CELLA_OK)
        return status;
    uint8_t mode = (uint8_t)instance->vault_mode;
    const struct cella_bytes parts[] = {CELLA_BYTES(target, sizeof target), CELLA_BYTES(&mode, 1)};
    return cella_instance_send(instance, (struct cella_frame){.type = CELLA_FRAME_START}, parts, 2);
}

static bool has_started(const struct cella_instance *instance) {
    return instance->told_started;
}

static bool is_ready(const struct cella_instance *instance) {
    return instance->state == INSTANCE_SERVING || instance->checked;
}

/* Waits for the keeper's word or the enclave's. Reading a large vault takes its time: as long as that goes
 * on, so does the wait. */
static enum cella_status await(struct cella_instance *instance, bool (*there)(const struct cella_instance *),
                               struct cella_error *error) {
    enum cella_status status = CELLA_OK;
    struct timespec limit;
    uint32_t steps = 0;
    int code = ETIMEDOUT;
    pthread_mutex_lock(&instance->lock);
    while (instance->state != INSTANCE_ENDED && !there(instance)) {
        uint32_t now = __atomic_load_n(&instance->store_steps, __ATOMIC_RELAXED) + 1;
        if (code == ETIMEDOUT && now == steps) {
            status =
                cella_fail(error, CELLA_UNAVAILABLE, "the enclave was not ready within %d s", START_LIMIT_S);
            break;
        }
        if (code == ETIMEDOUT) {
            steps = now;
            clock_gettime(CLOCK_MONOTONIC, &limit);
            limit.tv_sec += START_LIMIT_S;
        }
        code = pthread_cond_timedwait(&instance->changed, &instance->lock, &limit);
    }
    if (status == CELLA_OK && !there(instance))
        status = cella_fail(error, instance->end_status == CELLA_OK ? CELLA_CLOSED : instance->end_status,
                            "%s", instance->end_reason);
    pthread_mutex_unlock(&instance->lock);
    return status;
}

/* From the keeper's process to its word that the image is loaded. */
static enum cella_status launch(struct cella_instance *instance, const struct cella_instance_options *options,
                                int door_fd, struct cella_error *error) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return cella_fail(error, CELLA_NO_MEMORY, "cannot make a socket pair: %s", strerror(errno));
    instance->control_fd = pair[0];
    enum cella_status status = CELLA_OK;
    /* Out of the way of the numbers that the keeper gets them as. */
    int high_door = fcntl(door_fd, F_DUPFD_CLOEXEC, 16);
    int high_control = fcntl(pair[1], F_DUPFD_CLOEXEC, 16);
    close(pair[1]);
    if (high_door < 0 || high_control < 0)
        status = cella_fail(error, CELLA_NO_MEMORY, "no descriptors are left: %s", strerror(errno));
    if (status == CELLA_OK)
        status = spawn_keeper(instance, options, high_door, high_control, error);
    if (high_door >= 0)
        close(high_door);
    if (high_control >= 0)
        close(high_control);
    if (status == CELLA_OK)
        status = start_threads(instance);
    if (status == CELLA_OK)
        status = await(instance, has_started, error);
    return status;
}

static enum cella_status start(struct cella_instance *instance, const struct cella_instance_options *options,
                               struct cella_error *error) {
    int door_fd = -1;
    enum cella_status status = cella_machine_open(options->machine_path, &instance->machine, error);
    if (status == CELLA_OK)
        status = make_door(instance, &door_fd, error);
    if (status != CELLA_OK)
        return status;
    cella_instance_wire_init(instance);
    status = launch(instance, options, door_fd, error);
    close(door_fd);
    if (status == CELLA_OK)
        status = cella_instance_open_vault(instance, instance->vault_kind, error);
    if (status == CELLA_OK)
        status = send_start(instance, error);
    if (status == CELLA_OK)
        status = await(instance, is_ready, error);
    return status;
}

/* Trailing slashes would put what lies beside the folder into it. */
static char *copy_path(const char *path) {
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    return strndup(path, size);
}

static struct cella_instance *new_instance(const struct cella_instance_options *options) {
    struct cella_instance *instance = calloc(1, sizeof *instance);
    if (instance == NULL)
        return NULL;
    instance->control_fd = -1;
    instance->max_requests = INSTANCE_REQUESTS;
    instance->message_limit = INSTANCE_MESSAGE_LEAST;
    instance->spins = INSTANCE_SPINS;
    pthread_mutex_init(&instance->lock, NULL);
    /* Time limits must not stretch when someone sets the clock. */
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&instance->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&instance->send_lock, NULL);
    pthread_cond_init(&instance->send_changed, NULL);
    pthread_mutex_init(&instance->call_lock, NULL);
    instance->events = options->events;
    if (options->vault_path != NULL)
        instance->vault_path = copy_path(options->vault_path);
    if (options->vault_path != NULL && instance->vault_path == NULL) {
        free(instance);
        return NULL;
    }
    return instance;
}

/* A start that failed is told by the return value alone. */
static void discard(struct cella_instance *instance) {
    pthread_mutex_lock(&instance->lock);
    instance->events = (struct cella_instance_events){.context = NULL};
    pthread_mutex_unlock(&instance->lock);
    cella_instance_free(instance);
}

enum cella_status cella_instance_start(const struct cella_instance_options *options,
                                       struct cella_instance **ret_instance, struct cella_error *error) {
    struct cella_instance *instance = new_instance(options);
    if (instance == NULL)
        return CELLA_NO_MEMORY;
    enum cella_status status = start(instance, options, error);
    if (status != CELLA_OK) {
        discard(instance);
        return status;
    }
    *ret_instance = instance;
    return CELLA_OK;
}

enum cella_status cella_instance_check(const struct cella_instance_options *options,
                                       struct cella_vault_report *ret_report, struct cella_error *error) {
    struct cella_instance *instance = new_instance(options);
    if (instance == NULL)
        return CELLA_NO_MEMORY;
    instance->checks = true;
    memset(ret_report, 0, sizeof *ret_report);
    enum cella_status status = start(instance, options, error);
    if (status == CELLA_OK && instance->checked) {
        status = instance->check_status;
        *ret_report = instance->check_report;
        if (status != CELLA_OK)
            (void)cella_fail(error, status, "%s", instance->check_text);
    } else if (status == CELLA_OK) {
        status = cella_fail(error, CELLA_DOOR_BROKEN, "the enclave serves instead of checking its vault");
    }
    discard(instance);
    return status;
}

const struct cella_instance_info *cella_instance_info(const struct cella_instance *instance) {
    return &instance->info;
}

void cella_instance_stop(struct cella_instance *instance, unsigned timeout_ms) {
    pthread_mutex_lock(&instance->lock);
    bool serving = instance->state == INSTANCE_SERVING;
    if (serving)
        instance->state = INSTANCE_CLOSING;
    pthread_mutex_unlock(&instance->lock);
    if (serving)
        (void)cella_instance_send(instance, (struct cella_frame){.type = CELLA_FRAME_CLOSE}, NULL, 0);
    struct timespec limit;
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += timeout_ms / 1000;
    limit.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (limit.tv_nsec >= 1000000000) {
        limit.tv_sec++;
        limit.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&instance->lock);
    int code = 0;
    while (instance->state != INSTANCE_ENDED && code != ETIMEDOUT)
        code = pthread_cond_timedwait(&instance->changed, &instance->lock, &limit);
    bool ended = instance->state == INSTANCE_ENDED;
    pthread_mutex_unlock(&instance->lock);
    if (!ended)
        cella_instance_set_ended(instance, CELLA_INTERRUPTED, "killed: it did not close in time");
}

static void await_calls(struct cella_instance *instance) {
    for (;;) {
        pthread_mutex_lock(&instance->lock);
        pthread_mutex_lock(&instance->call_lock);
        unsigned running = instance->call_threads;
        pthread_mutex_unlock(&instance->call_lock);
        if (running == 0) {
            pthread_mutex_unlock(&instance->lock);
            return;
        }
        pthread_cond_wait(&instance->changed, &instance->lock);
        pthread_mutex_unlock(&instance->lock);
    }
}

static void free_pending(struct cella_instance *instance) {
    while (instance->first_pending != NULL) {
        struct instance_pending *next = instance->first_pending->next;
        free(instance->first_pending);
        instance->first_pending = next;
    }
}

void cella_instance_free(struct cella_instance *instance) {
    if (instance == NULL)
        return;
    if (instance->has_control)
        cella_instance_set_ended(instance, CELLA_INTERRUPTED, "killed by the host");
    else if (instance->keeper > 0) {
        int state;
        kill(instance->keeper, SIGKILL);
        (void)waitpid(instance->keeper, &state, 0);
    }
    if (instance->has_control)
        pthread_join(instance->control, NULL);
    if (instance->has_reader)
        pthread_join(instance->reader, NULL);
    if (instance->has_writer)
        pthread_join(instance->writer, NULL);
    await_calls(instance);
    cella_instance_close_vault(instance);
    free_pending(instance);
    if (instance->control_fd >= 0)
        close(instance->control_fd);
    if (instance->door != NULL)
        munmap(instance->door, sizeof *instance->door);
    cella_machine_free(instance->machine);
    free(instance->message);
    free(instance);
}
