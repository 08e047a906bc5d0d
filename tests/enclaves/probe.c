/* An enclave that tests steer from outside: it does on request what programs do by design or by mistake. */
#include "base/hex.h"
#include "enclave/inside.h"
#include "enclave/leaf.h"
#include "enclave/thread_data.h"
#include <cella/enclave.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long count;
static bool started;

static bool is(struct cella_bytes bytes, const char *word) {
    return bytes.size == strlen(word) && memcmp(bytes.data, word, bytes.size) == 0;
}

static bool starts(struct cella_bytes bytes, const char *word) {
    return bytes.size >= strlen(word) && memcmp(bytes.data, word, strlen(word)) == 0;
}

static enum cella_status say(struct cella_transaction *transaction, const char *text) {
    return cella_reply(transaction, CELLA_BYTES(text, strlen(text)));
}

/* Each of these must be refused inside the image, without a trace outside. */
static enum cella_status try_system_calls(struct cella_transaction *transaction) {
    char text[256];
    int file = open("/etc/passwd", 0) >= 0 ? 1 : errno;
    int network = socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 1 : errno;
    int child = fork() >= 0 ? 1 : errno;
    int program = execl("/bin/true", "true", (char *)NULL) == 0 ? 1 : errno;
    struct timespec now;
    int watch = clock_gettime(CLOCK_REALTIME, &now) == 0 ? 1 : errno;
    void *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int map = shared != MAP_FAILED ? 1 : errno;
    int killed = (int)syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0) == 0 ? 1 : errno;
    (void)snprintf(text, sizeof text, "open %d socket %d fork %d exec %d clock %d mmap %d peek %d", file,
                   network, child, program, watch, map, killed);
    return say(transaction, text);
}

static enum cella_status try_memory(struct cella_transaction *transaction) {
    /* Uses and returns far more than the heap holds at once; new memory must be zero. */
    for (int i = 0; i < 200; i++) {
        size_t size = (size_t)(i % 7 + 1) * 300000;
        unsigned char *memory = malloc(size);
        if (memory == NULL)
            return say(transaction, "no memory");
        memset(memory, 0xa5, size);
        free(memory);
        unsigned char *zeros = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (zeros == MAP_FAILED)
            return say(transaction, "no mapping");
        for (size_t at = 0; at < size; at += 509)
            if (zeros[at] != 0)
                return say(transaction, "not zero");
        memset(zeros, 0x5a, size);
        munmap(zeros, size);
    }
    void *huge = malloc((size_t)1 << 40);
    return say(transaction, huge == NULL ? "good" : "too generous");
}

static enum cella_status try_threads(struct cella_transaction *transaction) {
    pthread_mutex_lock(&count_lock);
    for (volatile int i = 0; i < 10000; i++) {
    }
    count++;
    char text[32];
    (void)snprintf(text, sizeof text, "%lu", count);
    pthread_mutex_unlock(&count_lock);
    return say(transaction, text);
}

static int overflow(volatile int depth) {
    volatile char frame[4096];
    frame[0] = (char)depth;
    return depth == 0 ? frame[0] : overflow(depth - 1) + frame[0];
}

/* Borrows a system call instruction of the keeper, which lies at a fixed address, for a futex operation that
 * moves sleepers. */
static void misuse_keeper(void) {
    const unsigned char *at = (const unsigned char *)0x401000;
    while (at[0] != 0x0f || at[1] != 0x05)
        at++;
    enum { FUTEX_REQUEUE_NUMBER = 3 };
    static uint32_t other;
    register long value2 __asm__("r10") = 1000;
    register void *word2 __asm__("r8") = &other;
    __asm__ volatile("call *%[instruction]"
                     :
                     : [instruction] "r"(at), "a"((long)SYS_futex),
                       "D"(&cella_inside_door()->replies.data_bell), "S"((long)FUTEX_REQUEUE_NUMBER), "d"(0L),
                       "r"(value2), "r"(word2)
                     : "rcx", "r11", "memory");
}

static enum cella_status crash(const char *how) {
    /* Volatile, so that the compiler does not reason about what it sees. */
    static volatile uintptr_t nowhere = 8;
    static volatile uintptr_t own_code;
    own_code = (uintptr_t)&overflow;
    if (strcmp(how, "null") == 0)
        *(volatile int *)nowhere = 1;
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "stack") == 0)
        return overflow(1 << 20) == 0 ? CELLA_OK : CELLA_FAILED;
    if (strcmp(how, "code") == 0)
        *(volatile unsigned char *)own_code = 0xc3;
    if (strcmp(how, "data") == 0)
        ((void (*)(void))(uintptr_t)&count)();
    if (strcmp(how, "ud2") == 0)
        __builtin_trap();
    if (strcmp(how, "enclu") == 0)
        __asm__ volatile("movl $2, %%eax; .byte 0x0f, 0x01, 0xd7" : : : "rax");
    if (strcmp(how, "keeper") == 0)
        misuse_keeper();
    if (strcmp(how, "exit") == 0)
        exit(3);
    return CELLA_ARGUMENT;
}

/* EGETKEY of the seal key under a policy (1: this code, 2: its signer), in hex; "error N" otherwise. */
static enum cella_status seal_key(struct cella_transaction *transaction, uint8_t policy) {
    uint8_t request[CELLA_KEY_REQUEST_SIZE] = {0};
    uint8_t key[CELLA_MACHINE_KEY_SIZE];
    char text[64];
    request[0] = 4;
    request[2] = policy;
    uint32_t error = cella_leaf_key(request, key);
    if (error != 0)
        (void)snprintf(text, sizeof text, "error %u", error);
    else
        cella_hex_encode(key, sizeof key, text);
    return say(transaction, text);
}

/* "counter create NAME", "counter read NAME", "counter mark NAME", "counter increment FROM NAME": the
 * machine's counter of that name, with the value it goes on from in each byte of its mark; the value read, or
 * the name of the status. */
static enum cella_status use_counter(struct cella_transaction *transaction, const char *what) {
    uint8_t name[CELLA_COUNTER_NAME_SIZE] = {0}, mark[CELLA_COUNTER_MARK_SIZE] = {0};
    char text[128];
    uint64_t value = 0;
    enum cella_status status = CELLA_ARGUMENT;
    const char *space = strrchr(what, ' ');
    if (space == NULL || strlen(space + 1) > sizeof name)
        return status;
    memcpy(name, space + 1, strlen(space + 1));
    if (strncmp(what, "create", 6) == 0)
        status = cella_leaf_counter_create(name);
    if (strncmp(what, "read", 4) == 0)
        status = cella_leaf_counter_read(name, &value, NULL);
    if (strncmp(what, "mark", 4) == 0)
        status = cella_leaf_counter_read(name, &value, mark);
    if (strncmp(what, "increment", 9) == 0) {
        uint64_t from = strtoull(what + 9, NULL, 10);
        memset(mark, (int)from, sizeof mark);
        status = cella_leaf_counter_increment(name, from, mark);
    }
    if (status != CELLA_OK)
        return say(transaction, cella_status_name(status));
    int size = snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    if (strncmp(what, "mark", 4) == 0)
        cella_hex_encode(mark, sizeof mark, text + size);
    return say(transaction, text);
}

/* A counter leaf with an operand that no machine takes: as on one that has no counters. */
static enum cella_status misuse_counter(struct cella_transaction *transaction) {
    uint64_t status = ENCLU_COUNTER_READ;
    __asm__ volatile(".byte 0x0f, 0x01, 0xd7" : "+a"(status) : "b"(1), "c"(8) : "memory", "cc");
    return say(transaction, cella_status_name((enum cella_status)status));
}

/* "nest N": asks the host to call back with "nest N-1"; at 0 answers. */
static enum cella_status nest(struct cella_transaction *transaction, struct cella_bytes request) {
    char text[64];
    long left = strtol((const char *)request.data + 5, NULL, 10);
    if (left == 0)
        return say(transaction, "bottom");
    (void)snprintf(text, sizeof text, "nest %ld", left - 1);
    struct cella_bytes reply;
    enum cella_status status = cella_call_host(transaction, CELLA_BYTES(text, strlen(text)), &reply);
    if (status != CELLA_OK) {
        /* A failure below is told, so that tests see how deep it was. */
        (void)snprintf(text, sizeof text, "%s at %ld", cella_status_name(status), left);
        return say(transaction, text);
    }
    return cella_reply(transaction, reply);
}

static enum cella_status sign_and_attest(struct cella_transaction *transaction) {
    uint8_t *attestation = NULL;
    size_t size = 0;
    enum cella_status status = cella_attestation(transaction, &attestation, &size);
    if (status != CELLA_OK)
        return status;
    uint8_t *out = malloc(CELLA_SIGNATURE_SIZE + size);
    if (out == NULL)
        return CELLA_NO_MEMORY;
    status = cella_sign("probe", CELLA_BYTES("message", 7), out);
    memcpy(out + CELLA_SIGNATURE_SIZE, attestation, size);
    if (status == CELLA_OK)
        status = cella_reply(transaction, CELLA_BYTES(out, CELLA_SIGNATURE_SIZE + size));
    free(out);
    free(attestation);
    return status;
}

/* What an enclave that means harm puts into its side of the door. */
static enum cella_status lie(const char *how) {
    struct cella_door_region *door = cella_inside_door();
    uint64_t at = door->replies.produced;
    struct cella_frame frame = {.size = 4, .type = CELLA_FRAME_CALL_DONE, .id = 0x7fff0001};
    if (strcmp(how, "position") == 0) {
        __atomic_store_n(&door->replies.produced, at + 2 * CELLA_DOOR_RING_SIZE, __ATOMIC_SEQ_CST);
    } else {
        if (strcmp(how, "type") == 0)
            frame.type = 999;
        if (strcmp(how, "phase") == 0)
            frame.type = CELLA_FRAME_READY;
        if (strcmp(how, "size") == 0)
            frame.size = UINT32_MAX;
        if (strcmp(how, "flags") == 0)
            frame.flags = 0x80;
        if (strcmp(how, "route") == 0)
            frame.type = CELLA_FRAME_POST;
        if (strcmp(how, "call") == 0)
            frame = (struct cella_frame){.size = 2, .type = CELLA_FRAME_HOST_CALL};
        /* "answer" keeps the frame: it answers a request that nobody made. */
        memcpy(door->reply_data + at % CELLA_DOOR_RING_SIZE, &frame, sizeof frame);
        __atomic_store_n(&door->replies.produced, at + 32, __ATOMIC_SEQ_CST);
    }
    __atomic_fetch_add(&door->replies.data_bell, 1, __ATOMIC_SEQ_CST);
    cella_inside_park.wake(&door->replies.data_bell, 1);
    /* The host ends the instance meanwhile. */
    for (volatile bool waiting = true; waiting;) {
    }
    return CELLA_OK;
}

static enum cella_status on_call(struct cella_transaction *transaction, struct cella_bytes request) {
    char text[128] = {0};
    if (request.size < sizeof text)
        memcpy(text, request.data, request.size);
    if (is(request, "syscalls"))
        return try_system_calls(transaction);
    if (is(request, "memory"))
        return try_memory(transaction);
    if (is(request, "threads"))
        return try_threads(transaction);
    if (is(request, "key-code") || is(request, "key-signer"))
        return seal_key(transaction, is(request, "key-code") ? 1 : 2);
    if (is(request, "counter-misuse"))
        return misuse_counter(transaction);
    if (starts(request, "counter "))
        return use_counter(transaction, text + 8);
    if (is(request, "attest"))
        return sign_and_attest(transaction);
    if (is(request, "started"))
        return say(transaction, started ? "yes" : "no");
    if (is(request, "setting"))
        return say(transaction, cella_setting("probe.word"));
    if (is(request, "fail"))
        return CELLA_ARGUMENT;
    if (starts(request, "nest "))
        return nest(transaction, CELLA_BYTES(text, request.size));
    if (starts(request, "crash "))
        return crash(text + 6);
    if (starts(request, "lie "))
        return lie(text + 4);
    return cella_reply(transaction, request);
}

/* Topic "post": posts the body back, then replies. "fail": does both, then fails. Others: echo. */
static enum cella_status on_mail(struct cella_transaction *transaction, const struct cella_mail *mail) {
    bool fails = strcmp(mail->topic, "fail") == 0;
    if (fails || strcmp(mail->topic, "post") == 0) {
        enum cella_status status = cella_post(transaction, mail->sender, "posted", mail->body);
        if (status != CELLA_OK)
            return status;
    }
    if (strcmp(mail->topic, "silent") == 0)
        return CELLA_OK;
    enum cella_status status = cella_reply(transaction, mail->body);
    return fails ? CELLA_ARGUMENT : status;
}

static enum cella_status on_start(struct cella_transaction *transaction) {
    started = true;
    printf("a line that the program prints\n");
    fflush(stdout);
    cella_log("probe started");
    const char *fails = cella_setting("probe.fail-start");
    return fails == NULL ? CELLA_OK : CELLA_FAILED;
}

static void on_stop(void) {
    cella_log("probe stopped");
}

int main(void) {
    static const struct cella_enclave program = {
        .start = on_start, .stop = on_stop, .mail = on_mail, .call = on_call, .thread_safe = true};
    return cella_enclave_run(&program);
}
