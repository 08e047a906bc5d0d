/* The state as a program sees it: gets, puts, counts and scans of one transaction. Must not: let a program
 * out of its own space of the vault's keys. */
#include "base/error.h"
#include "base/secret.h"
#include "enclave/runtime.h"
#include <stdlib.h>
#include <string.h>

/* Bounds and keys, with the space's prefix in front. */
struct bound {
    size_t size;
    uint8_t data[CELLA_MAP_KEY_MAX];
};

struct cella_scan {
    struct cella_transaction *transaction; /* NULL once the scan is out of its list */
    struct cella_scan *next;
    struct cella_map_cursor cursor;
    enum cella_status status;
    struct bound from, to;
};

static enum cella_status readable(const struct cella_transaction *transaction) {
    return transaction->access == CELLA_ACCESS_NONE ? CELLA_NO_VAULT : CELLA_OK;
}

static enum cella_status writable(const struct cella_transaction *transaction) {
    if (transaction->access == CELLA_ACCESS_NONE)
        return CELLA_NO_VAULT;
    return transaction->access == CELLA_ACCESS_READ ? CELLA_READ_ONLY : CELLA_OK;
}

enum cella_status cella_get(struct cella_transaction *transaction, struct cella_bytes key,
                            struct cella_bytes *ret_value) {
    enum cella_status status = readable(transaction);
    if (status != CELLA_OK)
        return status;
    if (key.size == 0 || key.size >= CELLA_MAP_KEY_MAX)
        return CELLA_NOT_FOUND;
    bool found;
    if (transaction->access == CELLA_ACCESS_WRITE) {
        found = cella_vault_get(cella_runtime.vault, CELLA_SPACE_USER, key, ret_value);
    } else {
        uint8_t buffer[CELLA_MAP_KEY_MAX];
        found = cella_map_view_get(transaction->reading.view, cella_vault_key(CELLA_SPACE_USER, key, buffer),
                                   ret_value);
    }
    return found ? CELLA_OK : CELLA_NOT_FOUND;
}

enum cella_status cella_put(struct cella_transaction *transaction, struct cella_bytes key,
                            struct cella_bytes value) {
    enum cella_status status = writable(transaction);
    return status == CELLA_OK ? cella_vault_put(cella_runtime.vault, CELLA_SPACE_USER, key, value) : status;
}

enum cella_status cella_delete(struct cella_transaction *transaction, struct cella_bytes key) {
    enum cella_status status = writable(transaction);
    return status == CELLA_OK ? cella_vault_delete(cella_runtime.vault, CELLA_SPACE_USER, key) : status;
}

/* A key that is too long to be one stands where it would sort: cut, it is a bound that no real key equals. */
static void set_bound(struct bound *bound, struct cella_bytes key) {
    if (key.size > CELLA_MAP_KEY_MAX - 1)
        key.size = CELLA_MAP_KEY_MAX - 1;
    bound->size = cella_vault_key(CELLA_SPACE_USER, key, bound->data).size;
}

/* The first key behind the whole space. */
static void set_space_end(struct bound *bound) {
    bound->data[0] = CELLA_SPACE_USER + 1;
    bound->size = 1;
}

static void set_range(const struct cella_range *range, struct bound *from, struct bound *to) {
    set_bound(from, range->from);
    if (range->to.size == 0)
        set_space_end(to);
    else
        set_bound(to, range->to);
}

static struct cella_bytes bytes_of(const struct bound *bound) {
    return CELLA_BYTES(bound->data, bound->size);
}

static const struct cella_map *map_of(const struct cella_transaction *transaction) {
    return cella_vault_map(cella_runtime.vault);
}

static const struct cella_map_view *view_of(const struct cella_transaction *transaction) {
    return transaction->access == CELLA_ACCESS_READ ? transaction->reading.view : NULL;
}

enum cella_status cella_count(struct cella_transaction *transaction, const struct cella_range *range,
                              uint64_t *ret_count) {
    struct bound from, to;
    enum cella_status status = readable(transaction);
    if (status != CELLA_OK)
        return status;
    set_range(range, &from, &to);
    *ret_count = cella_map_count(map_of(transaction), view_of(transaction), bytes_of(&from), bytes_of(&to));
    return CELLA_OK;
}

static struct cella_scan *new_scan(struct cella_transaction *transaction) {
    struct cella_scan *scan = malloc(sizeof *scan);
    if (scan == NULL)
        return NULL;
    scan->transaction = transaction;
    scan->status = CELLA_OK;
    scan->next = transaction->scans;
    transaction->scans = scan;
    cella_map_cursor_init(&scan->cursor, map_of(transaction), view_of(transaction));
    return scan;
}

static void start(struct cella_scan *scan, bool backwards) {
    scan->cursor.backwards = backwards;
    scan->cursor.from = bytes_of(&scan->from);
    scan->cursor.to = bytes_of(&scan->to);
}

enum cella_status cella_scan_range(struct cella_transaction *transaction, const struct cella_range *range,
                                   struct cella_scan **ret_scan) {
    enum cella_status status = readable(transaction);
    if (status != CELLA_OK)
        return status;
    struct cella_scan *scan = new_scan(transaction);
    if (scan == NULL)
        return CELLA_NO_MEMORY;
    set_range(range, &scan->from, &scan->to);
    start(scan, range->backwards);
    *ret_scan = scan;
    return CELLA_OK;
}

/* The smallest key that is larger than all with this prefix: the last byte that can grow does. */
static void set_prefix_end(struct bound *bound, const struct bound *prefix) {
    *bound = *prefix;
    while (bound->size > 1 && bound->data[bound->size - 1] == 0xff)
        bound->size--;
    bound->data[bound->size - 1]++;
}

enum cella_status cella_scan_prefix(struct cella_transaction *transaction, struct cella_bytes prefix,
                                    struct cella_scan **ret_scan) {
    enum cella_status status = readable(transaction);
    if (status != CELLA_OK)
        return status;
    struct cella_scan *scan = new_scan(transaction);
    if (scan == NULL)
        return CELLA_NO_MEMORY;
    set_bound(&scan->from, prefix);
    set_prefix_end(&scan->to, &scan->from);
    start(scan, false);
    *ret_scan = scan;
    return CELLA_OK;
}

bool cella_scan_next(struct cella_scan *scan, struct cella_bytes *ret_key, struct cella_bytes *ret_value) {
    struct cella_bytes key;
    if (scan->status != CELLA_OK || !cella_map_cursor_next(&scan->cursor, &key, ret_value, &scan->status))
        return false;
    *ret_key = CELLA_BYTES(key.data + 1, key.size - 1);
    return true;
}

enum cella_status cella_scan_free(struct cella_scan *scan) {
    if (scan == NULL)
        return CELLA_OK;
    enum cella_status status = scan->status;
    struct cella_scan **at = &scan->transaction->scans;
    while (*at != scan)
        at = &(*at)->next;
    *at = scan->next;
    cella_map_cursor_deinit(&scan->cursor);
    cella_wipe_free(scan, sizeof *scan);
    return status;
}

enum cella_status cella_after_commit(struct cella_transaction *transaction,
                                     void (*work)(struct cella_transaction *after, struct cella_bytes data),
                                     struct cella_bytes data) {
    if (transaction->read_only)
        return CELLA_READ_ONLY;
    struct cella_after *after = malloc(sizeof *after + data.size);
    if (after == NULL)
        return CELLA_NO_MEMORY;
    *after = (struct cella_after){.work = work, .size = data.size};
    if (data.size > 0)
        memcpy(after->data, data.data, data.size);
    *transaction->last_after = after;
    transaction->last_after = &after->next;
    return CELLA_OK;
}
