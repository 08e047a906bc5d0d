/* A simulated machine and one instance of a test image, with blocking calls. */
#ifndef CELLA_ATTACK_FIXTURE_H
#define CELLA_ATTACK_FIXTURE_H

#include "host/instance_internal.h"
#include "support/test.h"

enum { FIXTURE_LINES = 64 };

struct fixture {
    const char *machine;
    const char *vault; /* folder of its vault, or NULL */
    struct cella_instance *instance;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ended;
    enum cella_status end_status;
    char end_reason[256];
    unsigned posts;
    char lines[FIXTURE_LINES][256];
    unsigned line_count;
    unsigned calls; /* of the enclave to the host */
    bool refuse_nested;
};

/* What became of one request; `reply` is exactly sized and lives until the program ends. */
struct answer {
    enum cella_status status;
    char message[256];
    struct cella_bytes reply;
};

/* A new machine in a folder of the test's own. */
const char *fixture_machine(void);
/* Starts tests/enclaves/IMAGE.enclave; the status is checked by the caller. */
enum cella_status fixture_start(struct fixture *fixture, const char *machine, const char *image,
                                struct cella_error *error);
/* The same with a vault in this folder. */
enum cella_status fixture_start_vault(struct fixture *fixture, const char *machine, const char *vault,
                                      const char *image, struct cella_error *error);
/* Kills it and waits. */
void fixture_free(struct fixture *fixture);

struct answer fixture_call(struct fixture *fixture, const char *text);
struct answer fixture_mail(struct fixture *fixture, struct cella_bytes mail);
struct answer fixture_report(struct fixture *fixture, const uint8_t *nonce);
/* Waits until the instance has ended and returns why. */
enum cella_status fixture_await_end(struct fixture *fixture);
bool fixture_logged(struct fixture *fixture, const char *line);
const char *fixture_image(const char *name);
/* Puts one frame of whatever kind into the request ring. */
void fixture_put(struct fixture *fixture, struct cella_frame frame, const void *payload, size_t size);
/* Waits until the instance has ended because a rule of the door was broken, and frees. */
void fixture_ends_as_broken(struct fixture *fixture, const char *what);

#define assert_answer(got, expected_text)                                                                    \
    do {                                                                                                     \
        struct answer answer_ = (got);                                                                       \
        assert_status(answer_.status, CELLA_OK);                                                             \
        assert_bytes(answer_.reply, CELLA_BYTES(expected_text, strlen(expected_text)));                      \
    } while (0)

#endif
