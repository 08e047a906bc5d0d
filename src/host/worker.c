/* Job queue and timer threads of the host. Must not: run anything under a lock. */
#include "host/worker.h"
#include "base/error.h"
#include "host/host_internal.h"
#include <string.h>
#include <time.h>

int64_t cella_host_ticks_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t cella_host_now(void) {
    return (int64_t)time(NULL);
}

static void *worker_main(void *argument) {
    struct cella_worker *worker = argument;
    pthread_mutex_lock(&worker->lock);
    for (;;) {
        struct cella_job *job = worker->first;
        if (job == NULL) {
            if (worker->closing)
                break;
            pthread_cond_wait(&worker->wake, &worker->lock);
            continue;
        }
        worker->first = job->next;
        if (worker->first == NULL)
            worker->last = &worker->first;
        pthread_mutex_unlock(&worker->lock);
        job->run(job);
        pthread_mutex_lock(&worker->lock);
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

enum cella_status cella_worker_init(struct cella_worker *worker, struct cella_error *error) {
    *worker = (struct cella_worker){.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    worker->last = &worker->first;
    int code = pthread_create(&worker->thread, NULL, worker_main, worker);
    if (code != 0)
        return cella_fail(error, CELLA_NO_MEMORY, "cannot start a thread: %s", strerror(code));
    worker->started = true;
    return CELLA_OK;
}

void cella_worker_deinit(struct cella_worker *worker) {
    if (!worker->started)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->closing = true;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    worker->started = false;
}

void cella_worker_submit(struct cella_worker *worker, struct cella_job *job) {
    job->next = NULL;
    pthread_mutex_lock(&worker->lock);
    *worker->last = job;
    worker->last = &job->next;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}

static void wait_until(struct cella_timer *timer) {
    if (timer->next_ms == INT64_MAX) {
        pthread_cond_wait(&timer->wake, &timer->lock);
        return;
    }
    struct timespec deadline = {.tv_sec = (time_t)(timer->next_ms / 1000),
                                .tv_nsec = (long)(timer->next_ms % 1000) * 1000000};
    pthread_cond_timedwait(&timer->wake, &timer->lock, &deadline);
}

static void *timer_main(void *argument) {
    struct cella_timer *timer = argument;
    pthread_mutex_lock(&timer->lock);
    while (!timer->closing) {
        int64_t now = cella_host_ticks_ms();
        if (now < timer->next_ms) {
            wait_until(timer);
            continue;
        }
        timer->next_ms = INT64_MAX;
        pthread_mutex_unlock(&timer->lock);
        int64_t next = timer->expire(timer->context, now);
        pthread_mutex_lock(&timer->lock);
        if (next < timer->next_ms)
            timer->next_ms = next;
    }
    pthread_mutex_unlock(&timer->lock);
    return NULL;
}

enum cella_status cella_timer_init(struct cella_timer *timer,
                                   int64_t (*expire)(void *context, int64_t now_ms), void *context,
                                   struct cella_error *error) {
    *timer = (struct cella_timer){
        .lock = PTHREAD_MUTEX_INITIALIZER, .next_ms = INT64_MAX, .expire = expire, .context = context};
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&timer->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    int code = pthread_create(&timer->thread, NULL, timer_main, timer);
    if (code != 0)
        return cella_fail(error, CELLA_NO_MEMORY, "cannot start a thread: %s", strerror(code));
    timer->started = true;
    return CELLA_OK;
}

void cella_timer_deinit(struct cella_timer *timer) {
    if (!timer->started)
        return;
    pthread_mutex_lock(&timer->lock);
    timer->closing = true;
    pthread_cond_signal(&timer->wake);
    pthread_mutex_unlock(&timer->lock);
    pthread_join(timer->thread, NULL);
    pthread_cond_destroy(&timer->wake);
    timer->started = false;
}

void cella_timer_arm(struct cella_timer *timer, int64_t deadline_ms) {
    pthread_mutex_lock(&timer->lock);
    if (deadline_ms < timer->next_ms) {
        timer->next_ms = deadline_ms;
        pthread_cond_signal(&timer->wake);
    }
    pthread_mutex_unlock(&timer->lock);
}
