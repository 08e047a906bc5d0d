/* The load generator: an epoll loop over blocking-free sockets. */
#include "http_load.h"
#include "harness.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HEAD_LIMIT = 1024, BUFFER_SIZE = HTTP_LOAD_BODY_LIMIT + HEAD_LIMIT };

struct connection {
    const struct http_load_client *client;
    int fd;
    size_t filled;
    char buffer[BUFFER_SIZE + 1];
};

static int connect_to(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bench_require(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    int on = 1;
    bench_require(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
    return fd;
}

/* One request fits the socket's buffer, so that the write is whole. */
static void send_request(struct connection *connection) {
    struct cella_bytes body = connection->client->next(connection->client->context);
    char head[512];
    int size = snprintf(head, sizeof head,
                        "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\n"
                        "%sContent-Length: %zu\r\n\r\n",
                        connection->client->target,
                        connection->client->header == NULL ? "" : connection->client->header, body.size);
    bench_require(size > 0 && (size_t)size < sizeof head, "request head");
    struct iovec parts[2] = {{head, (size_t)size}, {(void *)body.data, body.size}};
    ssize_t sent = writev(connection->fd, parts, 2);
    bench_require(sent >= 0 && (size_t)sent == (size_t)size + body.size, "sending a request");
    connection->filled = 0;
}

/* True when a whole reply was taken. */
static bool take_reply(struct connection *connection) {
    char *buffer = connection->buffer;
    buffer[connection->filled] = '\0';
    char *end = strstr(buffer, "\r\n\r\n");
    if (end == NULL)
        return false;
    if (strncmp(buffer, "HTTP/1.1 200 ", 13) != 0 && strncmp(buffer, "HTTP/1.1 204 ", 13) != 0) {
        fprintf(stderr, "%s\n", buffer);
        bench_require(false, "a request");
    }
    *end = '\0';
    char *length = strcasestr(buffer, "\r\ncontent-length:");
    bool empty = strncmp(buffer, "HTTP/1.1 204 ", 13) == 0;
    bench_require(length != NULL || empty, "a reply's length");
    size_t body_size = empty ? 0 : strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
    size_t head_size = (size_t)(end - buffer) + 4;
    bench_require(body_size <= HTTP_LOAD_BODY_LIMIT, "a reply's length");
    *end = '\r';
    if (connection->filled < head_size + body_size)
        return false;
    bench_require(connection->filled == head_size + body_size, "one reply at a time");
    connection->client->reply(connection->client->context, CELLA_BYTES(buffer + head_size, body_size));
    return true;
}

static bool receive(struct connection *connection) {
    ssize_t got = recv(connection->fd, connection->buffer + connection->filled,
                       BUFFER_SIZE - connection->filled, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    bench_require(got > 0, "receiving a reply");
    connection->filled += (size_t)got;
    return take_reply(connection);
}

static struct connection *open_all(uint16_t port, const struct http_load_client *clients, unsigned count,
                                   int poller) {
    struct connection *connections = calloc(count, sizeof *connections);
    bench_require(connections != NULL, "memory for connections");
    for (unsigned i = 0; i < count; i++) {
        connections[i].client = &clients[i];
        connections[i].fd = connect_to(port);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        bench_require(epoll_ctl(poller, EPOLL_CTL_ADD, connections[i].fd, &event) == 0, "epoll_ctl");
    }
    return connections;
}

double http_load_run(uint16_t port, const struct http_load_client *clients, unsigned count, double seconds) {
    int poller = epoll_create1(EPOLL_CLOEXEC);
    bench_require(poller >= 0, "epoll_create1");
    struct connection *connections = open_all(port, clients, count, poller);
    double start = bench_now();
    double now = start;
    uint64_t answered = 0;
    unsigned open_requests = count;
    for (unsigned i = 0; i < count; i++)
        send_request(&connections[i]);
    while (open_requests > 0) {
        struct epoll_event events[64];
        int ready = epoll_wait(poller, events, 64, 10000);
        bench_require(ready > 0 || (ready < 0 && errno == EINTR), "waiting for replies");
        now = bench_now();
        for (int i = 0; i < ready; i++) {
            if (!receive(events[i].data.ptr))
                continue;
            answered++;
            if (now - start < seconds)
                send_request(events[i].data.ptr);
            else
                open_requests--;
        }
    }
    for (unsigned i = 0; i < count; i++)
        close(connections[i].fd);
    free(connections);
    close(poller);
    return (double)answered / (now - start);
}
