/* Futexes on memory of the image. The host cannot see that memory, so a thread sleeps on its own word in the
 * door, and the queue of sleepers is ours. A host that wakes or does not wake at will changes only when
 * things happen. */
#include "enclave/inside.h"
#include <errno.h>

static struct cella_spinlock lock;

static struct sleeper {
    uint32_t *word; /* NULL: not asleep, or woken */
    uint64_t ticket;
    uint32_t awake;
} sleepers[CELLA_DOOR_THREADS];

static uint64_t next_ticket;

static void park_wait(uint32_t *word, uint32_t seen) {
    (void)cella_exit(CELLA_EXIT_WAIT, (uint64_t)word, seen);
}

static void park_wake(uint32_t *word, uint32_t count) {
    (void)cella_exit(CELLA_EXIT_WAKE, (uint64_t)word, count);
}

const struct cella_door_park cella_inside_park = {.wait = park_wait, .wake = park_wake};

int64_t cella_futex_wait(uint32_t *word, uint32_t value) {
    uint64_t index = cella_thread_data()->index;
    struct sleeper *self = &sleepers[index];
    cella_spin_lock(&lock);
    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != value) {
        cella_spin_unlock(&lock);
        return -EAGAIN;
    }
    *self = (struct sleeper){.word = word, .ticket = next_ticket++};
    cella_spin_unlock(&lock);
    uint32_t *park = &cella_inside_door()->park[index].word;
    for (;;) {
        uint32_t seen = __atomic_load_n(park, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&self->awake, __ATOMIC_SEQ_CST) != 0)
            return 0;
        park_wait(park, seen);
    }
}

/* Takes the sleeper that has waited longest for `word`; -1 if there is none. */
static int take_sleeper(uint32_t *word) {
    int oldest = -1;
    for (int i = 0; i < CELLA_DOOR_THREADS; i++)
        if (sleepers[i].word == word && (oldest < 0 || sleepers[i].ticket < sleepers[oldest].ticket))
            oldest = i;
    if (oldest >= 0) {
        sleepers[oldest].word = NULL;
        __atomic_store_n(&sleepers[oldest].awake, 1, __ATOMIC_SEQ_CST);
    }
    return oldest;
}

int64_t cella_futex_wake(uint32_t *word, uint64_t count) {
    int64_t woken = 0;
    while ((uint64_t)woken < count) {
        cella_spin_lock(&lock);
        int index = take_sleeper(word);
        cella_spin_unlock(&lock);
        if (index < 0)
            break;
        uint32_t *park = &cella_inside_door()->park[index].word;
        __atomic_fetch_add(park, 1, __ATOMIC_SEQ_CST);
        park_wake(park, 1);
        woken++;
    }
    return woken;
}
