/* Posts of an enclave that wait until the clients that own their routes collect them. Every queue is bounded,
 * and what a bound drops is counted. Must not: understand mail, or call back under its lock. */
#ifndef CELLA_HOST_POSTS_H
#define CELLA_HOST_POSTS_H

#include <cella/host.h>
#include <pthread.h>

struct cella_post_limits {
    size_t route_count;
    size_t route_mails;
    size_t route_bytes;
    size_t total_bytes;
    unsigned polls;
};

struct cella_post_counts {
    uint64_t posts, delivered, dropped;
    size_t routes, mails, bytes;
    unsigned polls;
};

struct cella_post_route;
struct cella_post_waiter;

/* Owns everything that is queued. */
struct cella_posts {
    pthread_mutex_t lock;
    struct cella_post_limits limits;
    struct cella_post_counts counts;
    void *tree;                               /* routes by their bytes (tsearch): no input makes it slow */
    struct cella_post_route *oldest, *newest; /* routes by last use */
    struct cella_post_waiter *waiters;
    bool closed;
};

void cella_posts_init(struct cella_posts *posts, const struct cella_post_limits *limits);
/* Drops what waits. Every poll must have ended (cella_posts_close). Accepts a zeroed object. */
void cella_posts_deinit(struct cella_posts *posts);

/* Copies and queues, or hands to the poll that waits. Returns how many mails a limit dropped (the new one, or
 * those of routes that nobody used for the longest time). */
size_t cella_posts_add(struct cella_posts *posts, const uint8_t route[CELLA_HOST_ROUTE_SIZE],
                       struct cella_bytes mail);

struct cella_post_poll {
    const uint8_t *route; /* CELLA_HOST_ROUTE_SIZE bytes */
    const uint8_t *have;  /* CELLA_HOST_HAVE_SIZE bytes or NULL */
    int64_t deadline_ms;  /* 0: does not wait */
    cella_host_done *done;
    void *context;
};
/* Ends at once, or waits until a post, the deadline or a newer poll of the same route. Returns whether it
 * waits.
 */
bool cella_posts_poll(struct cella_posts *posts, const struct cella_post_poll *poll);

/* Ends the polls whose deadline has come; returns the next deadline, INT64_MAX for none. */
int64_t cella_posts_expire(struct cella_posts *posts, int64_t now_ms);

/* Ends every poll with CELLA_CLOSED, and every later one at once. */
void cella_posts_close(struct cella_posts *posts);

struct cella_post_counts cella_posts_counts(struct cella_posts *posts);

#endif
