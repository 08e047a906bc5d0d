/* Queues of posts by route. A post stays until the next poll says that it arrived, so a broken connection
 * loses none. Must not: call back under the lock. */
#include "host/posts.h"
#include "base/error.h"
#include "crypto/hash.h"
#include <search.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct post {
    struct post *next;
    _Atomic unsigned references; /* the queue's, and one per reader */
    uint8_t have[CELLA_HOST_HAVE_SIZE];
    size_t size;
    uint8_t data[];
};

struct cella_post_waiter {
    struct cella_post_waiter *previous, *next;
    struct cella_post_route *entry;
    int64_t deadline_ms;
    cella_host_done *done;
    void *context;
};

/* Exists while it has a post or a waiter. The route comes first: the tree compares by it. */
struct cella_post_route {
    uint8_t route[CELLA_HOST_ROUTE_SIZE];
    struct cella_post_route *older, *newer;
    struct post *first;
    struct post **last;
    size_t count;
    size_t bytes;
    struct cella_post_waiter *waiter;
};

void cella_host_have(struct cella_bytes post, uint8_t ret_have[CELLA_HOST_HAVE_SIZE]) {
    uint8_t digest[CELLA_SHA256_SIZE];
    cella_sha256(post.data, post.size, digest);
    memcpy(ret_have, digest, CELLA_HOST_HAVE_SIZE);
}

static int compare_routes(const void *left, const void *right) {
    return memcmp(left, right, CELLA_HOST_ROUTE_SIZE);
}

void cella_posts_init(struct cella_posts *posts, const struct cella_post_limits *limits) {
    *posts = (struct cella_posts){.limits = *limits, .lock = PTHREAD_MUTEX_INITIALIZER};
}

static void post_put(struct post *post) {
    if (atomic_fetch_sub_explicit(&post->references, 1, memory_order_acq_rel) == 1)
        free(post);
}

static struct post *post_new(struct cella_bytes mail) {
    struct post *post = malloc(sizeof *post + mail.size);
    if (post == NULL)
        return NULL;
    post->next = NULL;
    atomic_init(&post->references, 1);
    post->size = mail.size;
    if (mail.size > 0)
        memcpy(post->data, mail.data, mail.size);
    cella_host_have(mail, post->have);
    return post;
}

/* The route's waiter, no longer waiting. */
static struct cella_post_waiter *take_waiter(struct cella_posts *posts, struct cella_post_route *entry) {
    struct cella_post_waiter *waiter = entry->waiter;
    if (waiter == NULL)
        return NULL;
    *(waiter->previous != NULL ? &waiter->previous->next : &posts->waiters) = waiter->next;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    waiter->previous = waiter->next = NULL;
    entry->waiter = NULL;
    posts->counts.polls--;
    return waiter;
}

static void put_waiter(struct cella_posts *posts, struct cella_post_route *entry,
                       struct cella_post_waiter *waiter) {
    waiter->entry = entry;
    waiter->previous = NULL;
    waiter->next = posts->waiters;
    if (posts->waiters != NULL)
        posts->waiters->previous = waiter;
    posts->waiters = waiter;
    entry->waiter = waiter;
    posts->counts.polls++;
}

static void unlink_route(struct cella_posts *posts, struct cella_post_route *entry) {
    *(entry->older != NULL ? &entry->older->newer : &posts->oldest) = entry->newer;
    *(entry->newer != NULL ? &entry->newer->older : &posts->newest) = entry->older;
    entry->older = entry->newer = NULL;
}

static void link_newest(struct cella_posts *posts, struct cella_post_route *entry) {
    entry->older = posts->newest;
    entry->newer = NULL;
    *(posts->newest != NULL ? &posts->newest->newer : &posts->oldest) = entry;
    posts->newest = entry;
}

static struct cella_post_route *find_route(struct cella_posts *posts, const uint8_t *route) {
    void *node = tfind(route, &posts->tree, compare_routes);
    return node == NULL ? NULL : *(struct cella_post_route **)node;
}

static struct cella_post_route *make_route(struct cella_posts *posts, const uint8_t *route) {
    struct cella_post_route *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    memcpy(entry->route, route, CELLA_HOST_ROUTE_SIZE);
    entry->last = &entry->first;
    if (tsearch(entry, &posts->tree, compare_routes) == NULL) {
        free(entry);
        return NULL;
    }
    link_newest(posts, entry);
    posts->counts.routes++;
    return entry;
}

static void remove_first(struct cella_posts *posts, struct cella_post_route *entry) {
    struct post *post = entry->first;
    entry->first = post->next;
    if (entry->first == NULL)
        entry->last = &entry->first;
    entry->count--;
    entry->bytes -= post->size;
    posts->counts.mails--;
    posts->counts.bytes -= post->size;
    post_put(post);
}

static void drop_if_idle(struct cella_posts *posts, struct cella_post_route *entry) {
    if (entry->first != NULL || entry->waiter != NULL)
        return;
    tdelete(entry, &posts->tree, compare_routes);
    unlink_route(posts, entry);
    posts->counts.routes--;
    free(entry);
}

/* Frees the queue of one route that nobody waits for; returns how many mails were lost with it. */
static size_t evict(struct cella_posts *posts, struct cella_post_route *entry) {
    size_t lost = entry->count;
    while (entry->first != NULL)
        remove_first(posts, entry);
    drop_if_idle(posts, entry);
    posts->counts.dropped += lost;
    return lost;
}

/* Makes room in the enclave's whole queue by giving up the routes that were used least recently, never
 * `keep`. */
static bool make_room(struct cella_posts *posts, size_t size, const struct cella_post_route *keep,
                      size_t *lost) {
    if (size > posts->limits.total_bytes)
        return false;
    struct cella_post_route *entry = posts->oldest;
    while (posts->counts.bytes + size > posts->limits.total_bytes && entry != NULL) {
        struct cella_post_route *newer = entry->newer;
        if (entry != keep && entry->waiter == NULL)
            *lost += evict(posts, entry);
        entry = newer;
    }
    return posts->counts.bytes + size <= posts->limits.total_bytes;
}

static struct cella_post_route *route_for_post(struct cella_posts *posts, const uint8_t *route,
                                               size_t *lost) {
    struct cella_post_route *entry = find_route(posts, route);
    if (entry != NULL)
        return entry;
    struct cella_post_route *oldest = posts->oldest;
    while (posts->counts.routes >= posts->limits.route_count && oldest != NULL) {
        struct cella_post_route *newer = oldest->newer;
        if (oldest->waiter == NULL)
            *lost += evict(posts, oldest);
        oldest = newer;
    }
    return posts->counts.routes < posts->limits.route_count ? make_route(posts, route) : NULL;
}

/* Under the lock: appends, or says no. Takes the waiter off whom the post is for. */
static bool append(struct cella_posts *posts, const uint8_t *route, struct post *post,
                   struct cella_post_waiter **ret_waiter, size_t *lost) {
    struct cella_post_route *entry = route_for_post(posts, route, lost);
    if (entry == NULL)
        return false;
    if (entry->count >= posts->limits.route_mails || post->size > posts->limits.route_bytes ||
        entry->bytes > posts->limits.route_bytes - post->size || !make_room(posts, post->size, entry, lost)) {
        drop_if_idle(posts, entry);
        return false;
    }
    *entry->last = post;
    entry->last = &post->next;
    entry->count++;
    entry->bytes += post->size;
    posts->counts.mails++;
    posts->counts.bytes += post->size;
    unlink_route(posts, entry);
    link_newest(posts, entry);
    *ret_waiter = take_waiter(posts, entry);
    if (*ret_waiter != NULL)
        atomic_fetch_add(&post->references, 1);
    return true;
}

size_t cella_posts_add(struct cella_posts *posts, const uint8_t route[CELLA_HOST_ROUTE_SIZE],
                       struct cella_bytes mail) {
    struct cella_post_waiter *waiter = NULL;
    size_t lost = 0;
    struct post *post = post_new(mail);
    pthread_mutex_lock(&posts->lock);
    posts->counts.posts++;
    bool queued = post != NULL && !posts->closed && append(posts, route, post, &waiter, &lost);
    if (!queued) {
        posts->counts.dropped++;
        lost++;
    }
    pthread_mutex_unlock(&posts->lock);
    if (waiter != NULL) {
        waiter->done(waiter->context, CELLA_OK, "", CELLA_BYTES(post->data, post->size));
        free(waiter);
        post_put(post);
    } else if (!queued && post != NULL) {
        post_put(post);
    }
    return lost;
}

/* Under the lock: what a poll gets now. CELLA_OK with a post, or with none when it waits as `waiter`. */
static enum cella_status begin_poll(struct cella_posts *posts, const struct cella_post_poll *poll,
                                    struct cella_post_waiter *waiter, struct cella_post_waiter **ret_replaced,
                                    struct post **ret_post) {
    if (posts->closed)
        return CELLA_CLOSED;
    struct cella_post_route *entry = find_route(posts, poll->route);
    if (entry != NULL && entry->first != NULL && poll->have != NULL &&
        memcmp(entry->first->have, poll->have, CELLA_HOST_HAVE_SIZE) == 0) {
        remove_first(posts, entry);
        posts->counts.delivered++;
    }
    if (entry != NULL)
        *ret_replaced = take_waiter(posts, entry);
    if (entry != NULL && entry->first != NULL) {
        atomic_fetch_add(&entry->first->references, 1);
        *ret_post = entry->first;
        unlink_route(posts, entry);
        link_newest(posts, entry);
        return CELLA_OK;
    }
    enum cella_status status = CELLA_UNAVAILABLE;
    if (waiter != NULL && posts->counts.polls >= posts->limits.polls)
        status = CELLA_LIMIT;
    else if (waiter != NULL) {
        if (entry == NULL)
            entry = make_route(posts, poll->route);
        status = entry == NULL ? CELLA_NO_MEMORY : CELLA_OK;
        if (entry != NULL)
            put_waiter(posts, entry, waiter);
    }
    if (entry != NULL)
        drop_if_idle(posts, entry);
    return status;
}

bool cella_posts_poll(struct cella_posts *posts, const struct cella_post_poll *poll) {
    struct cella_post_waiter *waiter = NULL, *replaced = NULL;
    struct post *post = NULL;
    if (poll->deadline_ms != 0) {
        waiter = malloc(sizeof *waiter);
        if (waiter == NULL) {
            poll->done(poll->context, CELLA_NO_MEMORY, "no memory for one more poll", CELLA_BYTES(NULL, 0));
            return false;
        }
        *waiter = (struct cella_post_waiter){
            .deadline_ms = poll->deadline_ms, .done = poll->done, .context = poll->context};
    }
    pthread_mutex_lock(&posts->lock);
    enum cella_status status = begin_poll(posts, poll, waiter, &replaced, &post);
    pthread_mutex_unlock(&posts->lock);
    bool waits = status == CELLA_OK && post == NULL;
    if (!waits) {
        free(waiter);
        poll->done(poll->context, status,
                   status == CELLA_LIMIT ? "as many polls as poll_limit allows are waiting" : "",
                   post == NULL ? CELLA_BYTES(NULL, 0) : CELLA_BYTES(post->data, post->size));
    }
    if (post != NULL)
        post_put(post);
    if (replaced != NULL) {
        replaced->done(replaced->context, CELLA_UNAVAILABLE, "a newer poll of the same route took over",
                       CELLA_BYTES(NULL, 0));
        free(replaced);
    }
    return waits;
}

static void end_waiters(struct cella_post_waiter *list, enum cella_status status) {
    while (list != NULL) {
        struct cella_post_waiter *next = list->next;
        list->done(list->context, status, "", CELLA_BYTES(NULL, 0));
        free(list);
        list = next;
    }
}

/* Takes off the waiters whose deadline is not after `until_ms`; returns the earliest of the others. */
static int64_t take_waiters(struct cella_posts *posts, int64_t until_ms,
                            struct cella_post_waiter **ret_list) {
    int64_t next_ms = INT64_MAX;
    struct cella_post_waiter *waiter = posts->waiters;
    while (waiter != NULL) {
        struct cella_post_waiter *next = waiter->next;
        if (waiter->deadline_ms <= until_ms) {
            struct cella_post_route *entry = waiter->entry;
            take_waiter(posts, entry);
            waiter->next = *ret_list;
            *ret_list = waiter;
            drop_if_idle(posts, entry);
        } else if (waiter->deadline_ms < next_ms) {
            next_ms = waiter->deadline_ms;
        }
        waiter = next;
    }
    return next_ms;
}

int64_t cella_posts_expire(struct cella_posts *posts, int64_t now_ms) {
    struct cella_post_waiter *ended = NULL;
    pthread_mutex_lock(&posts->lock);
    int64_t next_ms = take_waiters(posts, now_ms, &ended);
    pthread_mutex_unlock(&posts->lock);
    end_waiters(ended, CELLA_UNAVAILABLE);
    return next_ms;
}

void cella_posts_close(struct cella_posts *posts) {
    struct cella_post_waiter *ended = NULL;
    pthread_mutex_lock(&posts->lock);
    posts->closed = true;
    take_waiters(posts, INT64_MAX, &ended);
    pthread_mutex_unlock(&posts->lock);
    end_waiters(ended, CELLA_CLOSED);
}

void cella_posts_deinit(struct cella_posts *posts) {
    while (posts->oldest != NULL) {
        CELLA_ASSERT(posts->oldest->waiter == NULL);
        evict(posts, posts->oldest);
    }
}

struct cella_post_counts cella_posts_counts(struct cella_posts *posts) {
    pthread_mutex_lock(&posts->lock);
    struct cella_post_counts counts = posts->counts;
    pthread_mutex_unlock(&posts->lock);
    return counts;
}
