/* Raw HTTP over a socket, so that tests can say what no library would. Failures fail the running test. */
#ifndef CELLA_TEST_WIRE_H
#define CELLA_TEST_WIRE_H

#include <cella/bytes.h>
#include <stdint.h>

struct test_answer {
    int code;
    size_t head_size;
    size_t body_size;
    char head[2048];
    char body[65536];
};

/* A connection to 127.0.0.1. Reads give up after 20 s, so that a test fails instead of hanging. */
int test_wire_connect(uint16_t port);
void test_wire_send(int fd, const void *data, size_t size);
void test_wire_text(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One whole answer with Content-Length (or none for 204). Returns 0 at the end of the connection. */
int test_wire_read(int fd, struct test_answer *ret_answer);
/* Sends one request on a connection of its own and reads the answer. `headers` are whole lines. */
void test_wire_ask(uint16_t port, const char *method, const char *target, const char *headers,
                   struct cella_bytes body, struct test_answer *ret_answer);

#endif
