/* Raw HTTP for tests. */
#include "support/wire.h"
#include "support/test.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int test_wire_connect(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 20};
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void test_wire_send(int fd, const void *data, size_t size) {
    const char *at = data;
    while (size > 0) {
        ssize_t count = send(fd, at, size, MSG_NOSIGNAL);
        if (count <= 0)
            return; /* the other side has closed; the read will tell */
        at += count;
        size -= (size_t)count;
    }
}

void test_wire_text(int fd, const char *format, ...) {
    char text[8192];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert_in_range(size, 0, sizeof text - 1);
    test_wire_send(fd, text, (size_t)size);
}

static size_t content_length(const char *head) {
    const char *at = strcasestr(head, "\r\nContent-Length:");
    return at == NULL ? 0 : strtoul(at + strlen("\r\nContent-Length:"), NULL, 10);
}

int test_wire_read(int fd, struct test_answer *ret_answer) {
    memset(ret_answer, 0, sizeof *ret_answer);
    char *head = ret_answer->head;
    while (strstr(head, "\r\n\r\n") == NULL) {
        assert_in_range(ret_answer->head_size, 0, sizeof ret_answer->head - 2);
        ssize_t count = recv(fd, head + ret_answer->head_size, 1, 0);
        if (count <= 0)
            return 0;
        ret_answer->head_size += (size_t)count;
    }
    assert_int_equal(strncmp(head, "HTTP/1.1 ", 9), 0);
    ret_answer->code = (int)strtol(head + 9, NULL, 10);
    size_t size = content_length(head);
    assert_in_range(size, 0, sizeof ret_answer->body - 1);
    while (ret_answer->body_size < size) {
        ssize_t count = recv(fd, ret_answer->body + ret_answer->body_size, size - ret_answer->body_size, 0);
        assert_true(count > 0);
        ret_answer->body_size += (size_t)count;
    }
    return 1;
}

void test_wire_ask(uint16_t port, const char *method, const char *target, const char *headers,
                   struct cella_bytes body, struct test_answer *ret_answer) {
    int fd = test_wire_connect(port);
    test_wire_text(fd, "%s %s HTTP/1.1\r\nHost: x\r\n%s", method, target, headers);
    if (body.size > 0)
        test_wire_text(fd, "Content-Length: %zu\r\n", body.size);
    test_wire_text(fd, "\r\n");
    test_wire_send(fd, body.data, body.size);
    assert_int_equal(test_wire_read(fd, ret_answer), 1);
    close(fd);
}
