/* An office whose mailbox keeps in a shelf, driven as an instance with a vault drives it: transactions around
 * each mail, answers and posts after them, restarts over the same shelf. The client's context is only the
 * number up to which it has collected. */
#ifndef CELLA_TEST_KEPT_OFFICE_H
#define CELLA_TEST_KEPT_OFFICE_H

#include "unit/mail/office.h"
#include "unit/mail/shelf.h"

#define KEPT_POSTS_MAX 512

struct kept_office {
    struct office office;
    struct shelf shelf;
    struct cella_mailbox_limits limits;
    uint64_t epoch;
};

/* cmocka fixtures: *state is a struct kept_office *. */
int kept_setup(void **state);
int kept_teardown(void **state);
void kept_open(struct kept_office *kept, const struct cella_mailbox_limits *limits);
void kept_close(struct kept_office *kept);
/* The instance ends, whatever it was at, and another one goes on; the client attests it. */
void kept_restart(struct kept_office *kept);

/* What the enclave does with a mail. */
struct kept_handling {
    bool handler_fails;
    bool commit_fails; /* the vault's, after the mail's */
    const struct cella_bytes *reply;
    unsigned posts; /* to the sender, on `post_topic` */
    const char *post_topic;
    size_t post_size;
    uint32_t post_seed; /* of the first one's pattern; the next has the next */
};

struct kept_result {
    enum cella_mailbox_verdict verdict;
    bool ran; /* the handler */
    struct cella_bytes answer;
    struct cella_bytes posts[KEPT_POSTS_MAX]; /* as they leave */
    size_t post_count;
};

/* The mail's whole way; `handling` NULL: it succeeds without a reply. */
enum cella_status kept_deliver(struct kept_office *kept, struct cella_bytes mail,
                               const struct kept_handling *handling, struct kept_result *ret_result);
/* Expects a status. */
void kept_expect(struct kept_office *kept, struct cella_bytes mail, const struct kept_handling *handling,
                 enum cella_status expected);

/* Mail of the client with its context of now. */
struct cella_bytes kept_seal(struct kept_office *kept, const char *topic, struct cella_bytes body);
struct cella_bytes kept_hello(struct kept_office *kept);
struct cella_bytes kept_ack(struct kept_office *kept);
struct cella_bytes kept_query(struct kept_office *kept, const char *topic, struct cella_bytes body);
/* The last request of a topic again. */
struct cella_bytes kept_repeat(struct kept_office *kept, const char *topic, struct cella_bytes body);

/* A request with its reply, both checked. */
void kept_round(struct kept_office *kept, const char *topic, uint64_t sequence);
/* Says hello and reads the answer; gives what came with it. */
void kept_connect(struct kept_office *kept, struct kept_result *ret_result);
/* The client reads `count` posts of `topic` from sequence `first` on. */
void kept_read_posts(struct kept_office *kept, const struct kept_result *result, const char *topic,
                     uint64_t first, size_t count);

/* Posts outside any mail, in a transaction of its own; NULL if it only waits. */
enum cella_status kept_post(struct kept_office *kept, const char *topic, struct cella_bytes body,
                            struct cella_bytes *ret_post);

#endif
