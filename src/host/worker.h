/* A thread with a queue of jobs, and a thread that wakes at the earliest of many deadlines.
 * Must not: know what the jobs do. */
#ifndef CELLA_HOST_WORKER_H
#define CELLA_HOST_WORKER_H

#include <cella/status.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Belongs to whoever submits it, until its function has been called. */
struct cella_job {
    struct cella_job *next;
    void (*run)(struct cella_job *job);
};

struct cella_worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct cella_job *first;
    struct cella_job **last;
    bool started;
    bool closing;
};

enum cella_status cella_worker_init(struct cella_worker *worker, struct cella_error *error);
/* Runs what is queued, then ends the thread. Accepts a zeroed worker. */
void cella_worker_deinit(struct cella_worker *worker);
void cella_worker_submit(struct cella_worker *worker, struct cella_job *job);

/* Calls `expire(context, now_ms)` when a deadline has come; it returns the next one, INT64_MAX for none. */
struct cella_timer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int64_t next_ms;
    int64_t (*expire)(void *context, int64_t now_ms);
    void *context;
    bool started;
    bool closing;
};

enum cella_status cella_timer_init(struct cella_timer *timer,
                                   int64_t (*expire)(void *context, int64_t now_ms), void *context,
                                   struct cella_error *error);
void cella_timer_deinit(struct cella_timer *timer);
/* Makes sure that it wakes at `deadline_ms` or before. */
void cella_timer_arm(struct cella_timer *timer, int64_t deadline_ms);

#endif
