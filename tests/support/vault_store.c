/* A vault's store in memory over a simulated disk. */
#include "support/vault_store.h"
#include "support/memory.h"
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 4096 };

struct file {
    struct cella_store_file name;
    bool whole;    /* it is in the list: FINISH was done, or its kind needs none */
    bool on_disk;  /* its name is durable */
    bool removed;  /* visibly; durably with the next flush of anything */
    uint8_t *data; /* as it is read */
    uint8_t *disk; /* as a crash leaves it */
    size_t size, disk_size, capacity;
    size_t dirty_from, dirty_to; /* bytes that may differ */
};

struct queued {
    struct queued *next;
    uint64_t id;
    struct cella_store_file file;
    uint64_t offset;
    unsigned flags;
    bool told_not_yet;
    uint8_t *data;
    size_t size;
};

struct test_store {
    struct cella_store face;
    struct cella_vault *vault;
    struct file files[FILES_MAX];
    size_t file_count;
    struct queued *first, *last;
    struct queued *twice; /* to be done again */
    bool delay, crashed, working;
    enum cella_status failing;
    enum cella_store_kind held;
    uint64_t shuffle; /* 0: writes are done in their order */
    test_plan *plan;
    void *plan_context;
    uint64_t operations;
};

static int order(const struct cella_store_file *a, const struct cella_store_file *b) {
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

static struct file *find(const struct test_store *store, struct cella_store_file name) {
    for (size_t i = 0; i < store->file_count; i++)
        if (order(&store->files[i].name, &name) == 0)
            return (struct file *)(uintptr_t)&store->files[i];
    return NULL;
}

/* Keeps the files in the order in which they are listed. */
static struct file *add(struct test_store *store, struct cella_store_file name) {
    size_t at = 0;
    if (store->file_count == FILES_MAX)
        abort();
    while (at < store->file_count && order(&store->files[at].name, &name) < 0)
        at++;
    memmove(&store->files[at + 1], &store->files[at], (store->file_count - at) * sizeof store->files[0]);
    store->files[at] = (struct file){.name = name};
    store->file_count++;
    return &store->files[at];
}

static void drop_file(struct test_store *store, struct file *file) {
    size_t at = (size_t)(file - store->files);
    free(file->data);
    free(file->disk);
    memmove(file, file + 1, (store->file_count - at - 1) * sizeof *file);
    store->file_count--;
}

static void resize(struct file *file, size_t size) {
    if (size > file->capacity) {
        size_t capacity = size + size / 2 + 4096;
        file->data = realloc(file->data, capacity);
        file->disk = realloc(file->disk, capacity);
        if (file->data == NULL || file->disk == NULL)
            abort();
        memset(file->data + file->capacity, 0, capacity - file->capacity);
        memset(file->disk + file->capacity, 0, capacity - file->capacity);
        file->capacity = capacity;
    }
    if (size > file->size)
        file->size = size;
}

static bool needs_finish(enum cella_store_kind kind) {
    return kind == CELLA_STORE_SNAPSHOT || kind == CELLA_STORE_GENESIS || kind == CELLA_STORE_EVIDENCE;
}

static void make_durable(struct test_store *store, struct file *file) {
    if (file->dirty_to > file->dirty_from)
        memcpy(file->disk + file->dirty_from, file->data + file->dirty_from,
               file->dirty_to - file->dirty_from);
    file->dirty_from = file->dirty_to = 0;
    file->disk_size = file->size;
    file->on_disk = true;
    for (size_t i = store->file_count; i-- > 0;)
        if (store->files[i].removed)
            store->files[i].on_disk = false;
}

static void mark_dirty(struct file *file, size_t from, size_t to) {
    if (file->dirty_to == 0 || from < file->dirty_from)
        file->dirty_from = from;
    if (to > file->dirty_to)
        file->dirty_to = to;
}

static void apply(struct test_store *store, const struct queued *write, bool lie) {
    struct file *file = find(store, write->file);
    if (file == NULL)
        file = add(store, write->file);
    if (file->removed) { /* a new file of that name */
        file->removed = false;
        file->size = 0;
        memset(file->data, 0, file->capacity);
        mark_dirty(file, 0, file->capacity);
    }
    resize(file, (size_t)write->offset + write->size);
    if (write->size > 0)
        memcpy(file->data + write->offset, write->data, write->size);
    mark_dirty(file, (size_t)write->offset, (size_t)write->offset + write->size);
    if (!needs_finish(write->file.kind) || (write->flags & CELLA_STORE_FINISH) != 0)
        file->whole = true;
    if ((write->flags & (CELLA_STORE_FLUSH | CELLA_STORE_FINISH)) != 0 && !lie)
        make_durable(store, file);
}

static struct queued *copy_write(uint64_t id, const struct cella_store_write *write) {
    struct queued *queued = calloc(1, sizeof *queued);
    size_t size = 0;
    for (size_t i = 0; i < write->part_count; i++)
        size += write->parts[i].size;
    uint8_t *data = malloc(size + 1);
    if (queued == NULL || data == NULL)
        abort();
    *queued = (struct queued){.id = id,
                              .file = write->file,
                              .offset = write->offset,
                              .flags = write->flags,
                              .data = data,
                              .size = size};
    for (size_t i = 0, at = 0; i < write->part_count; at += write->parts[i].size, i++)
        memcpy(data + at, write->parts[i].data, write->parts[i].size);
    return queued;
}

static void free_write(struct queued *queued) {
    if (queued == NULL)
        return;
    free(queued->data);
    free(queued);
}

static enum test_fault ask(struct test_store *store, enum test_operation operation,
                           const struct cella_store_write *write, enum cella_status *ret_status) {
    uint64_t number = store->operations++;
    *ret_status = CELLA_STORAGE_IO;
    return store->plan == NULL ? TEST_FAULT_NONE
                               : store->plan(store->plan_context, number, operation, write, ret_status);
}

static void do_twice(struct test_store *store) {
    struct queued *again = store->twice;
    store->twice = NULL;
    struct file *file = again == NULL ? NULL : find(store, again->file);
    if (file != NULL && !file->removed)
        apply(store, again, true);
    free_write(again);
}

/* What a fault makes of a write; CELLA_OK: it is done. */
static enum cella_status perform(struct test_store *store, struct queued *queued, enum test_fault fault,
                                 enum cella_status status) {
    struct queued half = *queued;
    switch (fault) {
    case TEST_FAULT_CRASH:
        store->crashed = true;
        return CELLA_STORAGE_IO;
    case TEST_FAULT_CRASH_TORN:
        half.flags = 0;
        if (!needs_finish(queued->file.kind))
            apply(store, &half, true);
        store->crashed = true;
        return CELLA_STORAGE_IO;
    case TEST_FAULT_CRASH_DONE:
        apply(store, queued, false);
        store->crashed = true;
        return CELLA_STORAGE_IO;
    case TEST_FAULT_FAIL:
        return status;
    default:
        break;
    }
    apply(store, queued, fault == TEST_FAULT_LIE);
    do_twice(store);
    return CELLA_OK;
}

static struct cella_store_write describe(const struct queued *queued) {
    return (struct cella_store_write){.file = queued->file, .offset = queued->offset, .flags = queued->flags};
}

static void tell(struct test_store *store, uint64_t id, enum cella_status status) {
    if (store->vault != NULL && !store->crashed && id != 0)
        cella_vault_written(store->vault, id, status);
}

static bool gives_up(enum cella_store_kind kind) {
    return kind == CELLA_STORE_SNAPSHOT || kind == CELLA_STORE_EVIDENCE;
}

static uint64_t next_random(uint64_t *state) {
    uint64_t value = (*state += UINT64_C(0x9e3779b97f4a7c15));
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static bool is_first_of_its_file(const struct test_store *store, const struct queued *queued) {
    for (const struct queued *at = store->first; at != queued; at = at->next)
        if (order(&at->file, &queued->file) == 0)
            return false;
    return true;
}

/* The next write that may be done: the oldest one that is not held, or the oldest of some file. */
static struct queued **next_write(struct test_store *store, uint64_t choice) {
    struct queued **chosen = NULL, **at = &store->first;
    uint64_t count = 0;
    for (; *at != NULL; at = &(*at)->next) {
        if ((*at)->file.kind == store->held || !is_first_of_its_file(store, *at))
            continue;
        count++;
        if (chosen == NULL || choice % count == 0)
            chosen = at;
        if (store->shuffle == 0)
            break;
    }
    return chosen;
}

static void take_out(struct test_store *store, struct queued **at) {
    struct queued *queued = *at;
    *at = queued->next;
    if (store->last != queued)
        return;
    store->last = store->first;
    while (store->last != NULL && store->last->next != NULL)
        store->last = store->last->next;
}

static bool work_one(struct test_store *store) {
    struct queued **place = next_write(store, store->shuffle == 0 ? 0 : next_random(&store->shuffle));
    if (place == NULL || store->crashed)
        return false;
    struct queued *queued = *place;
    const struct cella_store_write write = describe(queued);
    enum cella_status status = store->failing;
    enum test_fault fault = TEST_FAULT_FAIL;
    if (status == CELLA_OK)
        fault = ask(store, TEST_WRITE, &write, &status);
    status = perform(store, queued, fault, status);
    if (store->crashed)
        return false;
    if (status != CELLA_OK && !gives_up(queued->file.kind)) {
        bool first = !queued->told_not_yet;
        queued->told_not_yet = true;
        if (first)
            tell(store, queued->id, status);
        return store->failing == CELLA_OK; /* a single failure: it is tried again at once */
    }
    uint64_t id = queued->id;
    take_out(store, place);
    if (fault == TEST_FAULT_TWICE && store->twice == NULL)
        store->twice = queued;
    else
        free_write(queued);
    tell(store, id, status);
    return true;
}

size_t test_store_work(struct test_store *store, size_t count) {
    size_t done = 0;
    while (done < count && work_one(store))
        done++;
    return done;
}

void test_store_work_all(struct test_store *store) {
    while (work_one(store))
        ;
}

size_t test_store_queued(const struct test_store *store) {
    size_t count = 0;
    for (const struct queued *queued = store->first; queued != NULL; queued = queued->next)
        count++;
    return count;
}

static void face_write(void *context, uint64_t id, const struct cella_store_write *write) {
    struct test_store *store = context;
    if (store->crashed)
        return;
    struct queued *queued = copy_write(id, write);
    if (store->first == NULL)
        store->first = queued;
    else
        store->last->next = queued;
    store->last = queued;
    if (store->delay || store->working)
        return;
    store->working = true;
    test_store_work_all(store);
    store->working = false;
}

static enum cella_status face_write_now(void *context, const struct cella_store_write *write,
                                        struct cella_error *error) {
    struct test_store *store = context;
    if (store->crashed)
        return CELLA_STORAGE_IO;
    if (store->failing != CELLA_OK)
        return store->failing;
    enum cella_status status;
    enum test_fault fault = ask(store, TEST_WRITE_NOW, write, &status);
    struct queued *queued = copy_write(0, write);
    status = perform(store, queued, fault, status);
    free_write(queued);
    return status;
}

static enum cella_status face_read(void *context, struct cella_store_file name, uint64_t offset, uint8_t *out,
                                   size_t size, size_t *ret_size) {
    struct test_store *store = context;
    enum cella_status status;
    if (store->crashed)
        return CELLA_STORAGE_IO;
    enum test_fault fault = ask(store, TEST_READ, NULL, &status);
    if (fault == TEST_FAULT_CRASH || fault == TEST_FAULT_CRASH_TORN || fault == TEST_FAULT_CRASH_DONE)
        store->crashed = true;
    if (store->crashed || fault == TEST_FAULT_FAIL)
        return status;
    const struct file *file = find(store, name);
    if (file == NULL || !file->whole || file->removed)
        return CELLA_NOT_FOUND;
    size_t left = offset < file->size ? file->size - (size_t)offset : 0;
    if (size > left)
        size = left;
    if (fault == TEST_FAULT_SHORT && size > 1)
        size = size / 2;
    if (size > 0)
        memcpy(out, file->data + offset, size);
    *ret_size = size;
    return CELLA_OK;
}

static enum cella_status face_list(void *context, void (*visit)(void *, const struct cella_store_entry *),
                                   void *visitor, struct cella_error *error) {
    struct test_store *store = context;
    enum cella_status status;
    if (store->crashed)
        return CELLA_STORAGE_IO;
    enum test_fault fault = ask(store, TEST_LIST, NULL, &status);
    if (fault == TEST_FAULT_CRASH || fault == TEST_FAULT_CRASH_TORN || fault == TEST_FAULT_CRASH_DONE)
        store->crashed = true;
    if (store->crashed || fault == TEST_FAULT_FAIL)
        return status;
    for (size_t i = 0; i < store->file_count; i++) {
        const struct file *file = &store->files[i];
        if (!file->whole || file->removed)
            continue;
        const struct cella_store_entry entry = {.file = file->name, .size = file->size};
        visit(visitor, &entry);
    }
    return CELLA_OK;
}

static void face_remove(void *context, struct cella_store_file name) {
    struct test_store *store = context;
    enum cella_status status;
    if (store->crashed)
        return;
    enum test_fault fault = ask(store, TEST_REMOVE, NULL, &status);
    bool done = fault == TEST_FAULT_NONE || fault == TEST_FAULT_CRASH_DONE;
    for (size_t i = 0; i < store->file_count && done; i++) {
        struct file *file = &store->files[i];
        if (file->name.kind != name.kind)
            continue;
        bool goes = file->name.number == name.number;
        if (name.kind == CELLA_STORE_SEGMENT)
            goes = file->name.number <= name.number;
        if (name.kind == CELLA_STORE_SNAPSHOT)
            goes = file->name.number < name.number;
        file->removed = file->removed || goes;
    }
    if (fault == TEST_FAULT_CRASH || fault == TEST_FAULT_CRASH_TORN || fault == TEST_FAULT_CRASH_DONE)
        store->crashed = true;
}

struct test_store *test_store_new(void) {
    struct test_store *store = calloc(1, sizeof *store);
    if (store == NULL)
        abort();
    store->face = (struct cella_store){.context = store,
                                       .list = face_list,
                                       .read = face_read,
                                       .write_now = face_write_now,
                                       .write = face_write,
                                       .remove = face_remove};
    return store;
}

static void forget_queue(struct test_store *store) {
    while (store->first != NULL) {
        struct queued *queued = store->first;
        store->first = queued->next;
        free_write(queued);
    }
    store->last = NULL;
    free_write(store->twice);
    store->twice = NULL;
}

static void forget_files(struct test_store *store) {
    while (store->file_count > 0)
        drop_file(store, &store->files[store->file_count - 1]);
}

void test_store_free(struct test_store *store) {
    if (store == NULL)
        return;
    forget_queue(store);
    forget_files(store);
    free(store);
}

static uint8_t *duplicate(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size + 1);
    if (copy == NULL)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

void test_store_assign(struct test_store *store, const struct test_store *other) {
    forget_queue(store);
    forget_files(store);
    for (size_t i = 0; i < other->file_count; i++) {
        struct file file = other->files[i];
        file.data = duplicate(file.data, file.capacity);
        file.disk = duplicate(file.disk, file.capacity);
        store->files[store->file_count++] = file;
    }
    store->crashed = false;
}

struct test_store *test_store_copy(const struct test_store *store) {
    struct test_store *copy = test_store_new();
    test_store_assign(copy, store);
    return copy;
}

const struct cella_store *test_store_face(struct test_store *store) {
    return &store->face;
}

void test_store_attach(struct test_store *store, struct cella_vault *vault) {
    store->vault = vault;
}

void test_store_delay(struct test_store *store, bool delay) {
    store->delay = delay;
}

void test_store_plan(struct test_store *store, test_plan *plan, void *context) {
    store->plan = plan;
    store->plan_context = context;
    store->operations = 0;
}

void test_store_hold(struct test_store *store, enum cella_store_kind kind) {
    store->held = kind;
}

void test_store_shuffle(struct test_store *store, uint64_t seed) {
    store->shuffle = seed;
}

uint64_t test_store_operations(const struct test_store *store) {
    return store->operations;
}

void test_store_fail(struct test_store *store, enum cella_status status) {
    store->failing = status;
    if (status == CELLA_OK && !store->delay)
        test_store_work_all(store);
}

bool test_store_crashed(const struct test_store *store) {
    return store->crashed;
}

static bool survives(uint64_t seed, uint64_t *state) {
    return seed == UINT64_MAX || (seed != 0 && (next_random(state) & 1) != 0);
}

/* Each sector that differs is the new one or the old one. */
static void settle_sectors(struct file *file, uint64_t seed, uint64_t *state) {
    size_t end = file->disk_size;
    for (size_t at = 0; at < file->size; at += TEST_SECTOR) {
        size_t size = file->size - at < TEST_SECTOR ? file->size - at : TEST_SECTOR;
        if (at + size <= file->disk_size && memcmp(file->data + at, file->disk + at, size) == 0)
            continue;
        if (!survives(seed, state))
            continue;
        memcpy(file->disk + at, file->data + at, size);
        if (at + size > end)
            end = at + size;
    }
    memset(file->disk + end, 0, file->capacity - end);
    memcpy(file->data, file->disk, file->capacity);
    file->dirty_from = file->dirty_to = 0;
    file->size = end;
    file->disk_size = end;
}

void test_store_restart(struct test_store *store, uint64_t seed) {
    uint64_t state = seed;
    forget_queue(store);
    for (size_t i = store->file_count; i-- > 0;) {
        struct file *file = &store->files[i];
        if (file->removed && (!file->on_disk || survives(seed, &state))) {
            drop_file(store, file);
            continue;
        }
        file->removed = false;
        bool named = file->on_disk || survives(seed, &state);
        if (needs_finish(file->name.kind) && !file->whole)
            named = false;
        if (!named) {
            drop_file(store, file);
            continue;
        }
        file->on_disk = true;
        settle_sectors(file, seed, &state);
    }
    store->crashed = false;
    store->vault = NULL;
    store->working = false;
    store->failing = CELLA_OK;
    store->plan = NULL;
}

struct cella_bytes test_store_file(const struct test_store *store, enum cella_store_kind kind,
                                   uint64_t number) {
    const struct file *file = find(store, (struct cella_store_file){.kind = kind, .number = number});
    return file == NULL || file->removed || !file->whole ? (struct cella_bytes){0}
                                                         : CELLA_BYTES(file->data, file->size);
}

void test_store_put(struct test_store *store, enum cella_store_kind kind, uint64_t number,
                    struct cella_bytes bytes) {
    struct cella_store_file name = {.kind = kind, .number = number};
    uint8_t *data = duplicate(bytes.data, bytes.size);
    test_store_delete(store, kind, number);
    struct file *file = add(store, name);
    resize(file, bytes.size);
    if (bytes.size > 0)
        memcpy(file->data, data, bytes.size);
    mark_dirty(file, 0, bytes.size);
    file->whole = true;
    make_durable(store, file);
    free(data);
}

void test_store_delete(struct test_store *store, enum cella_store_kind kind, uint64_t number) {
    struct file *file = find(store, (struct cella_store_file){.kind = kind, .number = number});
    if (file != NULL)
        drop_file(store, file);
}

uint64_t test_store_newest(const struct test_store *store, enum cella_store_kind kind) {
    uint64_t newest = 0;
    for (size_t i = 0; i < store->file_count; i++)
        if (store->files[i].name.kind == kind && store->files[i].whole && !store->files[i].removed)
            newest = store->files[i].name.number;
    return newest;
}

size_t test_store_count(const struct test_store *store, enum cella_store_kind kind) {
    size_t count = 0;
    for (size_t i = 0; i < store->file_count; i++)
        if (store->files[i].name.kind == kind && store->files[i].whole && !store->files[i].removed)
            count++;
    return count;
}

bool test_store_holds(const struct test_store *store, struct cella_bytes needle) {
    for (size_t i = 0; i < store->file_count; i++)
        if (store->files[i].size > 0 &&
            memmem(store->files[i].data, store->files[i].size, needle.data, needle.size) != NULL)
            return true;
    return false;
}
