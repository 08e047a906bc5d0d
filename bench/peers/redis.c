/* Redis: starts its server in a folder and drives it over TCP on loopback, as many clients do that wait for
 * each answer. Debian's redis-tools holds the server as the program that also checks its files. */
#include "peer.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM "redis-check-rdb"

enum { CLIENTS_MAX = 64, REQUEST_MAX = 256 };

struct peer_redis {
    char *folder;
    bool preamble;
    pid_t process; /* 0: it does not run */
    uint16_t port;
    uint64_t keys;
    double memory; /* of all keys */
};

bool peer_redis_is_there(void) {
    const char *path = getenv("PATH");
    char *folders = strdup(path != NULL ? path : "/usr/bin:/bin");
    char *rest = folders;
    char *folder;
    bool found = false;
    while (!found && (folder = strsep(&rest, ":")) != NULL) {
        char program[4096];
        (void)snprintf(program, sizeof program, "%s/" PROGRAM, folder);
        found = access(program, X_OK) == 0;
    }
    free(folders);
    return found;
}

/* --- the wire --- */

/* -1: nobody listens yet. */
static int try_connect(uint16_t port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1;
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bench_require(connection >= 0, "a socket");
    if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0) {
        close(connection);
        return -1;
    }
    bench_require(setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, "TCP_NODELAY");
    return connection;
}

static void send_all(int connection, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t sent = send(connection, bytes, size, MSG_NOSIGNAL);
        bench_require(sent > 0, "sending to Redis");
        bytes += sent;
        size -= (size_t)sent;
    }
}

/* A SET of number `number`. */
static size_t write_set(char *out, uint64_t number) {
    static const char head[] = "*3\r\n$3\r\nSET\r\n$16\r\n";
    static const char middle[] = "\r\n$100\r\n";
    char *at = out;
    at = mempcpy(at, head, sizeof head - 1);
    peer_key(number, (uint8_t *)at);
    at = mempcpy(at + PEER_KEY_SIZE, middle, sizeof middle - 1);
    peer_value(number, (uint8_t *)at);
    at = mempcpy(at + PEER_VALUE_SIZE, "\r\n", 2);
    return (size_t)(at - out);
}

/* Reads answers until so many SETs are confirmed. */
static void read_confirmations(int connection, uint64_t count) {
    static const char confirmation[] = "+OK\r\n";
    char bytes[4096];
    uint64_t seen = 0;
    while (seen < count * 5) {
        ssize_t size = recv(connection, bytes, sizeof bytes, 0);
        bench_require(size > 0, "an answer of Redis");
        for (ssize_t i = 0; i < size; i++, seen++)
            bench_require(bytes[i] == confirmation[seen % 5], "a SET of Redis");
    }
}

/* Sends a line, and reads one answer of less than `size` bytes that comes at once. */
static void ask(int connection, const char *line, char *answer, size_t size) {
    size_t got = 0;
    send_all(connection, line, strlen(line));
    /* A text with its length in front, or a line. */
    size_t whole = 0;
    while (whole == 0 || got < whole) {
        ssize_t more = recv(connection, answer + got, size - 1 - got, 0);
        bench_require(more > 0, "an answer of Redis");
        got += (size_t)more;
        answer[got] = '\0';
        const char *end = strstr(answer, "\r\n");
        if (end != NULL)
            whole = (size_t)(end - answer) + 2 + (answer[0] == '$' ? strtoul(answer + 1, NULL, 10) + 2 : 0);
        bench_require(whole < size, "the size of Redis' answer");
    }
}

/* A number out of INFO. */
static uint64_t info(int connection, const char *section, const char *field) {
    char line[64];
    char answer[16384];
    (void)snprintf(line, sizeof line, "INFO %s\r\n", section);
    ask(connection, line, answer, sizeof answer);
    const char *place = strstr(answer, field);
    bench_require(place != NULL && place[strlen(field)] == ':', field);
    return strtoull(place + strlen(field) + 1, NULL, 10);
}

static void nap(void) {
    (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* --- the server --- */

static pid_t running;

static void end_with_the_program(void) {
    if (running > 0)
        (void)kill(running, SIGKILL);
}

static uint16_t free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bench_require(listener >= 0 && bind(listener, (struct sockaddr *)&address, size) == 0 &&
                      getsockname(listener, (struct sockaddr *)&address, &size) == 0,
                  "a free port");
    close(listener);
    return ntohs(address.sin_port);
}

/* Until it answers requests. */
static void wait_until_ready(const struct peer_redis *redis) {
    char answer[256];
    int connection;
    while ((connection = try_connect(redis->port)) < 0) {
        bench_require(waitpid(redis->process, NULL, WNOHANG) == 0, "starting Redis");
        nap();
    }
    ask(connection, "PING\r\n", answer, sizeof answer);
    while (strncmp(answer, "+PONG", 5) != 0) {
        bench_require(strncmp(answer, "-LOADING", 8) == 0, "loading Redis");
        nap();
        ask(connection, "PING\r\n", answer, sizeof answer);
    }
    close(connection);
}

static void start(struct peer_redis *redis, const char *flush) {
    char port[8];
    redis->port = free_port();
    (void)snprintf(port, sizeof port, "%u", redis->port);
    const char *arguments[] = {"redis-server",
                               "--port",
                               port,
                               "--bind",
                               "127.0.0.1",
                               "--dir",
                               redis->folder,
                               "--save",
                               "",
                               "--appendonly",
                               "yes",
                               "--appendfsync",
                               flush,
                               "--aof-use-rdb-preamble",
                               redis->preamble ? "yes" : "no",
                               "--logfile",
                               "/dev/null",
                               "--auto-aof-rewrite-percentage",
                               "0",
                               NULL};
    if (running == 0)
        (void)atexit(end_with_the_program);
    bench_require(
        posix_spawnp(&redis->process, PROGRAM, NULL, NULL, (char *const *)(uintptr_t)arguments, environ) == 0,
        PROGRAM);
    running = redis->process;
    wait_until_ready(redis);
}

static int connect_to(const struct peer_redis *redis) {
    int connection = try_connect(redis->port);
    bench_require(connection >= 0, "connecting to Redis");
    return connection;
}

/* Everything is in its files then. */
static void stop(struct peer_redis *redis) {
    int result;
    bench_require(kill(redis->process, SIGTERM) == 0 &&
                      waitpid(redis->process, &result, 0) == redis->process && result == 0,
                  "stopping Redis");
    running = -1;
    redis->process = 0;
}

static void load(const struct peer_redis *redis, uint64_t keys) {
    enum { AT_ONCE = 500 };
    char *bytes = malloc((size_t)AT_ONCE * REQUEST_MAX);
    int connection = connect_to(redis);
    bench_require(bytes != NULL, "memory for requests");
    for (uint64_t first = 0; first < keys; first += AT_ONCE) {
        uint64_t count = keys - first < AT_ONCE ? keys - first : AT_ONCE;
        size_t size = 0;
        for (uint64_t i = 0; i < count; i++)
            size += write_set(bytes + size, first + i);
        send_all(connection, bytes, size);
        read_confirmations(connection, count);
    }
    close(connection);
    free(bytes);
}

/* --- puts --- */

/* Each connection sends its next request when its last one was answered. */
static void put(const struct peer_redis *redis, const struct peer_puts *puts) {
    struct pollfd connections[CLIENTS_MAX];
    char request[REQUEST_MAX];
    uint64_t sent = 0;
    uint64_t confirmed = 0;
    for (unsigned i = 0; i < puts->clients; i++)
        connections[i] = (struct pollfd){.fd = connect_to(redis), .events = POLLIN};
    for (unsigned i = 0; i < puts->clients && sent < puts->count; i++, sent++)
        send_all(connections[i].fd, request, write_set(request, puts->loaded + sent));
    while (confirmed < puts->count) {
        bench_require(poll(connections, puts->clients, -1) > 0, "poll");
        for (unsigned i = 0; i < puts->clients; i++) {
            if (connections[i].revents == 0)
                continue;
            read_confirmations(connections[i].fd, 1);
            confirmed++;
            if (sent < puts->count)
                send_all(connections[i].fd, request, write_set(request, puts->loaded + sent++));
        }
    }
    for (unsigned i = 0; i < puts->clients; i++)
        close(connections[i].fd);
}

struct peer_puts_figures peer_redis_puts(const struct peer_puts *puts) {
    bench_require(puts->clients >= 1 && puts->clients <= CLIENTS_MAX && puts->batch == 1, "clients of Redis");
    struct peer_redis redis = {.folder = peer_folder_new(puts->folder)};
    start(&redis, "no");
    load(&redis, puts->loaded);
    stop(&redis);
    start(&redis, "always");
    struct peer_clock clock = peer_clock_start(redis.folder);
    put(&redis, puts);
    struct peer_puts_figures figures = peer_clock_stop(&clock, puts->count);
    stop(&redis);
    peer_folder_remove(redis.folder);
    return figures;
}

/* --- loading --- */

static void rewrite(const struct peer_redis *redis) {
    char answer[256];
    int connection = connect_to(redis);
    ask(connection, "BGREWRITEAOF\r\n", answer, sizeof answer);
    bench_require(answer[0] == '+', "BGREWRITEAOF");
    while (info(connection, "persistence", "aof_rewrite_scheduled") != 0 ||
           info(connection, "persistence", "aof_rewrite_in_progress") != 0)
        nap();
    close(connection);
}

struct peer_redis *peer_redis_new(const char *folder, uint64_t keys, bool preamble) {
    struct peer_redis *redis = calloc(1, sizeof *redis);
    bench_require(redis != NULL, "memory for Redis");
    *redis = (struct peer_redis){.folder = peer_folder_new(folder), .preamble = preamble, .keys = keys};
    start(redis, "no");
    int connection = connect_to(redis);
    double empty = (double)info(connection, "memory", "used_memory");
    load(redis, keys);
    redis->memory = (double)info(connection, "memory", "used_memory") - empty;
    close(connection);
    if (preamble)
        rewrite(redis);
    stop(redis);
    return redis;
}

double peer_redis_load(struct peer_redis *redis) {
    char answer[256];
    double start_time = bench_now();
    start(redis, "always");
    double seconds = bench_now() - start_time;
    int connection = connect_to(redis);
    ask(connection, "DBSIZE\r\n", answer, sizeof answer);
    bench_require(answer[0] == ':' && strtoull(answer + 1, NULL, 10) == redis->keys,
                  "loading all keys of Redis");
    close(connection);
    stop(redis);
    return seconds * 1000;
}

double peer_redis_memory(const struct peer_redis *redis) {
    return redis->memory / (double)redis->keys;
}

double peer_redis_disk(const struct peer_redis *redis) {
    return (double)peer_folder_size(redis->folder) / (double)redis->keys;
}

void peer_redis_free(struct peer_redis *redis) {
    if (redis == NULL)
        return;
    peer_folder_remove(redis->folder);
    free(redis);
}
