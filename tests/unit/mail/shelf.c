/* The test's own place to keep mail. */
#include "unit/mail/shelf.h"
#include "support/memory.h"
#include "support/test.h"
#include <stdlib.h>
#include <string.h>

enum { IDLE_TOPIC_SIZE = 1, IDLE_REPLY_SIZE = 8 };

static struct cella_bytes copy(struct cella_bytes bytes) {
    uint8_t *data = malloc(bytes.size == 0 ? 1 : bytes.size);
    assert_non_null(data);
    if (bytes.size > 0)
        memcpy(data, bytes.data, bytes.size);
    return CELLA_BYTES(data, bytes.size);
}

static void drop(struct cella_bytes bytes) {
    free((void *)(uintptr_t)bytes.data);
}

static int compare(struct cella_bytes left, struct cella_bytes right) {
    size_t common = left.size < right.size ? left.size : right.size;
    int order = memcmp(left.data, right.data, common);
    return order != 0 ? order : (left.size > right.size) - (left.size < right.size);
}

/* --- idle senders: entry `index` of all that they have, in the order of keys --- */

void shelf_idle_key(uint64_t number, uint8_t out[CELLA_MAIL_KEY_SIZE]) {
    memset(out, 0xaa, CELLA_MAIL_KEY_SIZE);
    for (unsigned i = 0; i < 8; i++)
        out[i] = (uint8_t)(number >> (56 - 8 * i));
}

static uint64_t idle_entries(const struct shelf *shelf) {
    return 4 * shelf->idle;
}

static void idle_name(const struct shelf *shelf, uint64_t index, struct cella_keep_key *key) {
    uint8_t sender[CELLA_MAIL_KEY_SIZE];
    if (index < shelf->idle) {
        cella_keep_order_key(key, CELLA_KEEP_HEARD, index + 1);
    } else if (index < 2 * shelf->idle) {
        cella_keep_order_key(key, CELLA_KEEP_REPLIES, index - shelf->idle + 1);
    } else {
        shelf_idle_key((index - 2 * shelf->idle) / 2, sender);
        if (index % 2 == 0)
            cella_keep_sender_key(key, sender);
        else
            cella_keep_topic_key(key, sender, CELLA_KEEP_TOPIC, CELLA_BYTES("t", IDLE_TOPIC_SIZE));
    }
}

static struct cella_bytes idle_value(const struct shelf *shelf, uint64_t index) {
    uint8_t sender[CELLA_MAIL_KEY_SIZE], out[CELLA_KEEP_PLACE_MAX];
    if (index < 2 * shelf->idle) {
        bool is_reply = index >= shelf->idle;
        shelf_idle_key(index % shelf->idle, sender);
        size_t size = cella_keep_place_write(sender, CELLA_BYTES("t", is_reply ? IDLE_TOPIC_SIZE : 0), out);
        return copy(CELLA_BYTES(out, size));
    }
    uint64_t number = (index - 2 * shelf->idle) / 2;
    if (index % 2 == 0) {
        struct cella_keep_sender entry = {.has_route = true,
                                          .route = "route of client",
                                          .has_birth = true,
                                          .place = number + 1,
                                          .topic_count = 1};
        cella_keep_sender_write(&entry, out);
        return copy(CELLA_BYTES(out, CELLA_KEEP_SENDER_SIZE));
    }
    struct cella_keep_topic topic = {.next_sequence = 1,
                                     .reply_state = CELLA_REPLY_STORED,
                                     .place = number + 1,
                                     .reply = CELLA_BYTES("a reply.", IDLE_REPLY_SIZE)};
    uint8_t *value = NULL;
    size_t size = 0;
    assert_status(cella_keep_topic_write(&topic, &value, &size), CELLA_OK);
    return CELLA_BYTES(value, size);
}

/* The first idle entry whose key is not before `key`. */
static uint64_t idle_find(const struct shelf *shelf, struct cella_bytes key) {
    uint64_t low = 0, high = idle_entries(shelf);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        struct cella_keep_key name;
        idle_name(shelf, middle, &name);
        if (compare(CELLA_KEEP_BYTES(name), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- entries of its own --- */

static size_t find(const struct shelf *shelf, struct cella_bytes key) {
    size_t low = 0, high = shelf->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(shelf->entries[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct shelf_entry *find_exactly(struct shelf *shelf, struct cella_bytes key) {
    size_t at = find(shelf, key);
    bool found = at < shelf->count && compare(shelf->entries[at].key, key) == 0;
    return found ? &shelf->entries[at] : NULL;
}

static struct cella_bytes lend(struct shelf *shelf, struct cella_bytes own) {
    if (shelf->lent_count == shelf->lent_capacity) {
        shelf->lent_capacity = 2 * shelf->lent_capacity + 16;
        shelf->lent = realloc(shelf->lent, shelf->lent_capacity * sizeof *shelf->lent);
        assert_non_null(shelf->lent);
    }
    shelf->lent[shelf->lent_count++] = (uint8_t *)(uintptr_t)own.data;
    return own;
}

static void take_back(struct shelf *shelf) {
    while (shelf->lent_count > 0)
        free(shelf->lent[--shelf->lent_count]);
}

static void remove_entry(struct shelf *shelf, struct shelf_entry *entry) {
    drop(entry->key);
    drop(entry->value);
    size_t at = (size_t)(entry - shelf->entries);
    memmove(entry, entry + 1, (shelf->count - at - 1) * sizeof *entry);
    shelf->count--;
}

/* Puts without a word to anyone; a value without data is a deletion that hides an idle entry. */
static void set(struct shelf *shelf, struct cella_bytes key, struct cella_bytes value) {
    struct shelf_entry *entry = find_exactly(shelf, key);
    if (entry != NULL) {
        drop(entry->value);
        entry->value = value;
        return;
    }
    if (shelf->count == shelf->capacity) {
        shelf->capacity = 2 * shelf->capacity + 16;
        shelf->entries = realloc(shelf->entries, shelf->capacity * sizeof *shelf->entries);
        assert_non_null(shelf->entries);
    }
    size_t at = find(shelf, key);
    memmove(shelf->entries + at + 1, shelf->entries + at, (shelf->count - at) * sizeof *shelf->entries);
    shelf->entries[at] = (struct shelf_entry){.key = copy(key), .value = value};
    shelf->count++;
}

static void note(struct shelf *shelf, struct cella_bytes key) {
    if (shelf->change_count == shelf->change_capacity) {
        shelf->change_capacity = 2 * shelf->change_capacity + 64;
        shelf->changes = realloc(shelf->changes, shelf->change_capacity * sizeof *shelf->changes);
        assert_non_null(shelf->changes);
    }
    const struct shelf_entry *now = find_exactly(shelf, key);
    struct shelf_change change = {.before = {.key = copy(key)}, .was_there = now != NULL};
    if (now != NULL && now->value.data != NULL)
        change.before.value = copy(now->value);
    shelf->changes[shelf->change_count++] = change;
}

static void forget_changes(struct shelf *shelf, size_t from, bool undo) {
    while (shelf->change_count > from) {
        struct shelf_change *change = &shelf->changes[--shelf->change_count];
        if (undo && change->was_there)
            set(shelf, change->before.key, change->before.value);
        else if (undo)
            remove_entry(shelf, find_exactly(shelf, change->before.key));
        if (!undo || !change->was_there)
            drop(change->before.value);
        drop(change->before.key);
    }
}

/* --- the keep --- */

static bool look_up(struct shelf *shelf, struct cella_bytes key, struct cella_bytes *ret_value) {
    assert_true(shelf->depth > 0);
    shelf->gets++;
    const struct shelf_entry *entry = find_exactly(shelf, key);
    if (entry != NULL) {
        if (entry->value.data != NULL)
            *ret_value = lend(shelf, copy(entry->value));
        return entry->value.data != NULL;
    }
    struct cella_keep_key name;
    uint64_t index = idle_find(shelf, key);
    if (index == idle_entries(shelf))
        return false;
    idle_name(shelf, index, &name);
    if (compare(CELLA_KEEP_BYTES(name), key) != 0)
        return false;
    *ret_value = lend(shelf, idle_value(shelf, index));
    return true;
}

static bool get(void *context, struct cella_bytes key, struct cella_bytes *ret_value) {
    struct shelf *shelf = context;
    struct cella_bytes other;
    bool found = look_up(shelf, key, ret_value);
    if (shelf->map != NULL) {
        assert_int_equal(cella_map_get(shelf->map, key, &other), found);
        if (found)
            assert_bytes(other, *ret_value);
    }
    return found;
}

static bool fails(struct shelf *shelf) {
    return shelf->fail_after > 0 && --shelf->fail_after == 0;
}

static enum cella_status put(void *context, struct cella_bytes key, struct cella_bytes value) {
    struct shelf *shelf = context;
    assert_true(shelf->depth > 0);
    assert_in_range(key.size, 1, CELLA_KEEP_KEY_MAX);
    assert_true(value.size <= CELLA_KEEP_VALUE_MAX);
    shelf->puts++;
    if (fails(shelf))
        return CELLA_NO_MEMORY;
    note(shelf, key);
    if (shelf->map != NULL)
        assert_status(cella_map_put(shelf->map, key, value), CELLA_OK);
    set(shelf, key, copy(value));
    take_back(shelf);
    return CELLA_OK;
}

static enum cella_status remove_key(void *context, struct cella_bytes key) {
    struct shelf *shelf = context;
    struct cella_bytes value;
    assert_true(shelf->depth > 0);
    bool found = get(context, key, &value);
    shelf->gets--;
    shelf->deletes++;
    if (!found)
        return CELLA_NOT_FOUND;
    if (fails(shelf))
        return CELLA_NO_MEMORY;
    note(shelf, key);
    if (shelf->map != NULL)
        assert_status(cella_map_delete(shelf->map, key), CELLA_OK);
    if (shelf->idle > 0)
        set(shelf, key, (struct cella_bytes){0});
    else
        remove_entry(shelf, find_exactly(shelf, key));
    take_back(shelf);
    return CELLA_OK;
}

static enum cella_status look_from(struct shelf *shelf, struct cella_bytes from, struct cella_bytes *ret_key,
                                   struct cella_bytes *ret_value) {
    struct cella_keep_key name;
    assert_true(shelf->depth > 0);
    shelf->seeks++;
    size_t own = find(shelf, from);
    uint64_t index = idle_find(shelf, from);
    for (;;) {
        bool has_own = own < shelf->count, has_idle = index < idle_entries(shelf);
        if (!has_own && !has_idle)
            return CELLA_NOT_FOUND;
        if (has_idle)
            idle_name(shelf, index, &name);
        int order = !has_own ? 1 : !has_idle ? -1 : compare(shelf->entries[own].key, CELLA_KEEP_BYTES(name));
        if (order > 0) {
            *ret_key = lend(shelf, copy(CELLA_KEEP_BYTES(name)));
            *ret_value = lend(shelf, idle_value(shelf, index));
            return CELLA_OK;
        }
        const struct shelf_entry *entry = &shelf->entries[own++];
        index += order == 0;
        if (entry->value.data == NULL)
            continue;
        *ret_key = lend(shelf, copy(entry->key));
        *ret_value = lend(shelf, copy(entry->value));
        return CELLA_OK;
    }
}

static enum cella_status seek(void *context, struct cella_bytes from, struct cella_bytes *ret_key,
                              struct cella_bytes *ret_value) {
    struct shelf *shelf = context;
    struct cella_map_cursor cursor;
    struct cella_bytes key, value;
    enum cella_status found = look_from(shelf, from, ret_key, ret_value), status = CELLA_OK;
    if (shelf->map == NULL)
        return found;
    cella_map_cursor_init(&cursor, shelf->map, NULL);
    cursor.from = from;
    assert_int_equal(cella_map_cursor_next(&cursor, &key, &value, &status), found == CELLA_OK);
    assert_status(status, CELLA_OK);
    if (found == CELLA_OK) {
        assert_bytes(key, *ret_key);
        assert_bytes(value, *ret_value);
    }
    cella_map_cursor_deinit(&cursor);
    return found;
}

void shelf_init(struct shelf *shelf) {
    *shelf = (struct shelf){
        .keep = {.context = shelf, .get = get, .put = put, .delete = remove_key, .seek = seek}};
    assert_status(cella_map_new(&shelf->map), CELLA_OK);
}

void shelf_deinit(struct shelf *shelf) {
    cella_map_free(shelf->map);
    take_back(shelf);
    forget_changes(shelf, 0, false);
    while (shelf->count > 0)
        remove_entry(shelf, &shelf->entries[shelf->count - 1]);
    free(shelf->entries);
    free(shelf->changes);
    free(shelf->lent);
}

void shelf_begin(struct shelf *shelf) {
    assert_in_range(shelf->depth, 0, 7);
    if (shelf->map != NULL)
        assert_status(cella_map_begin(shelf->map), CELLA_OK);
    shelf->marks[shelf->depth++] = shelf->change_count;
}

void shelf_commit(struct shelf *shelf) {
    assert_true(shelf->depth > 0);
    if (shelf->map != NULL)
        cella_map_commit(shelf->map);
    if (--shelf->depth == 0)
        forget_changes(shelf, 0, false);
    take_back(shelf);
}

void shelf_abort(struct shelf *shelf) {
    assert_true(shelf->depth > 0);
    if (shelf->map != NULL)
        cella_map_abort(shelf->map);
    forget_changes(shelf, shelf->marks[--shelf->depth], true);
    take_back(shelf);
}

void shelf_reset_counts(struct shelf *shelf) {
    shelf->gets = 0;
    shelf->puts = 0;
    shelf->deletes = 0;
    shelf->seeks = 0;
}

unsigned shelf_calls(const struct shelf *shelf) {
    return shelf->gets + shelf->puts + shelf->deletes + shelf->seeks;
}

struct cella_bytes shelf_dump(const struct shelf *shelf) {
    size_t size = 0;
    for (size_t i = 0; i < shelf->count; i++)
        size += 4 + shelf->entries[i].key.size + shelf->entries[i].value.size;
    uint8_t *out = test_allocate(size + 1);
    size_t at = 0;
    for (size_t i = 0; i < shelf->count; i++) {
        const struct cella_bytes parts[] = {shelf->entries[i].key, shelf->entries[i].value};
        for (unsigned part = 0; part < 2; part++) {
            out[at++] = (uint8_t)parts[part].size;
            out[at++] = (uint8_t)(parts[part].size >> 8);
            memcpy(out + at, parts[part].data, parts[part].size);
            at += parts[part].size;
        }
    }
    return CELLA_BYTES(out, at);
}

void shelf_fill_idle(struct shelf *shelf, uint64_t count) {
    struct cella_keep_key key;
    uint8_t state[CELLA_KEEP_STATE_SIZE], fingerprint[CELLA_KEEP_FINGERPRINT_SIZE];
    struct cella_keep_state idle = {
        .heard = count,
        .replied = count,
        .senders = count,
        .replies = count,
        .stored_bytes = count * cella_mail_padded_size(CELLA_MAIL_PADDING_CLASS, IDLE_REPLY_SIZE)};
    assert_int_equal(shelf->count, 0);
    cella_map_free(shelf->map);
    shelf->map = NULL;
    cella_keep_state_write(&idle, state);
    cella_keep_fingerprint_write((const uint8_t *)"0123456789abcdef0123456789abcdef", fingerprint);
    cella_keep_state_key(&key);
    set(shelf, CELLA_KEEP_BYTES(key), copy(CELLA_BYTES(state, sizeof state)));
    cella_keep_fingerprint_key(&key);
    set(shelf, CELLA_KEEP_BYTES(key), copy(CELLA_BYTES(fingerprint, sizeof fingerprint)));
    shelf->idle = count;
}
