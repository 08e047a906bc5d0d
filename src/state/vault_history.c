/* The history tree's nodes: what the store is given, and what is fetched from it again for proofs. Must not:
 * trust a node that came from the store: the tree checks what they lead to. */
#include "base/error.h"
#include "state/vault_internal.h"
#include <stdlib.h>
#include <string.h>

/* The nodes from `first` to the end go to the store. */
static enum cella_status write_nodes(struct cella_vault *vault, uint64_t first, uint64_t total,
                                     bool durably) {
    size_t count = (size_t)(total - first);
    uint8_t *nodes = malloc(count * CELLA_DIGEST_SIZE);
    if (nodes == NULL)
        return CELLA_NO_MEMORY;
    size_t got = cella_tree_nodes(vault->tree, first, count, nodes);
    const struct cella_bytes part = CELLA_BYTES(nodes, got * CELLA_DIGEST_SIZE);
    const struct cella_store_write write = {
        .file = {.kind = CELLA_STORE_HISTORY},
        .offset = first * CELLA_DIGEST_SIZE,
        .flags = durably ? CELLA_STORE_FLUSH : 0,
        .parts = &part,
        .part_count = 1,
    };
    cella_vault_write(vault, durably ? SLOT_HISTORY : SLOT_NONE, &write);
    free(nodes);
    vault->history_nodes = first + got;
    return CELLA_OK;
}

void cella_vault_history_flush(struct cella_vault *vault, bool durably) {
    uint64_t total = cella_tree_node_count(cella_tree_size(vault->tree));
    uint64_t first = vault->history_nodes;
    if (vault->history_broken || (!durably && total - first < 2 * VAULT_HISTORY_EVERY))
        return;
    /* Something has to be written for a flush to be told: the last node once more. */
    if (first == total)
        first = total - 1;
    if (first < cella_tree_oldest(vault->tree)) {
        vault->history_broken = true;
        vault->snapshot.history_safe = true;
        return;
    }
    /* Without memory the next records bring it here again; a snapshot waits, or is dropped at the end. */
    if (write_nodes(vault, first, total, durably) != CELLA_OK && durably)
        cella_vault_snapshot_drop(vault);
}

/* Nodes that one proof needs from the store. */
struct fetch {
    struct cella_vault *vault;
    size_t count, missing;
    struct {
        uint64_t position;
        bool known;
        uint8_t hash[CELLA_DIGEST_SIZE];
    } nodes[2 * CELLA_TREE_PROOF_NODES];
};

/* Which nodes a proof needs does not depend on what they are: unknown ones are noted and given as zeros, and
 * when all are there the proof is made again. */
static enum cella_status fetch_node(void *context, struct cella_tree_node node,
                                    uint8_t ret_hash[CELLA_DIGEST_SIZE]) {
    struct fetch *fetch = context;
    uint64_t position = cella_tree_position(node);
    for (size_t i = 0; i < fetch->count; i++) {
        if (fetch->nodes[i].position != position)
            continue;
        memcpy(ret_hash, fetch->nodes[i].hash, CELLA_DIGEST_SIZE);
        return CELLA_OK;
    }
    if (fetch->count == sizeof fetch->nodes / sizeof *fetch->nodes)
        return CELLA_HISTORY_DAMAGED;
    fetch->nodes[fetch->count].position = position;
    fetch->nodes[fetch->count].known = false;
    memset(fetch->nodes[fetch->count].hash, 0, CELLA_DIGEST_SIZE);
    fetch->count++;
    fetch->missing++;
    memset(ret_hash, 0, CELLA_DIGEST_SIZE);
    return CELLA_OK;
}

static struct cella_vault_page *find_page(struct cella_vault *vault, uint64_t first) {
    for (unsigned i = 0; i < VAULT_PAGES; i++)
        if (vault->pages[i].count > 0 && vault->pages[i].first == first)
            return &vault->pages[i];
    return NULL;
}

static enum cella_status read_page(struct cella_vault *vault, uint64_t first,
                                   struct cella_vault_page **ret_page, struct cella_error *error) {
    const struct cella_store *store = vault->options.store;
    struct cella_vault_page *page = find_page(vault, first);
    if (page == NULL) {
        page = &vault->pages[vault->next_page];
        vault->next_page = (vault->next_page + 1) % VAULT_PAGES;
    }
    page->count = 0;
    size_t size = 0, got = 1;
    /* A short read is not the end; nothing read is. */
    for (; got > 0 && size < sizeof page->nodes; size += got) {
        enum cella_status status = store->read(
            store->context, (struct cella_store_file){.kind = CELLA_STORE_HISTORY},
            first * CELLA_DIGEST_SIZE + size, page->nodes + size, sizeof page->nodes - size, &got);
        if (status == CELLA_NOT_FOUND || (status == CELLA_OK && got > sizeof page->nodes - size))
            return cella_fail(error, CELLA_HISTORY_DAMAGED, "the history's file is missing");
        if (status != CELLA_OK)
            return cella_fail(error, status, "the host cannot read the vault's history");
    }
    page->first = first;
    page->count = size / CELLA_DIGEST_SIZE;
    *ret_page = page;
    return CELLA_OK;
}

static enum cella_status fetch_one(struct cella_vault *vault, uint64_t position, bool fresh,
                                   uint8_t ret_hash[CELLA_DIGEST_SIZE], struct cella_error *error) {
    uint64_t first = position - position % VAULT_PAGE_NODES;
    size_t place = (size_t)(position - first);
    struct cella_vault_page *page = fresh ? NULL : find_page(vault, first);
    if (page == NULL || place >= page->count) {
        enum cella_status status = read_page(vault, first, &page, error);
        if (status != CELLA_OK)
            return status;
    }
    if (place >= page->count)
        return cella_fail(error, CELLA_HISTORY_DAMAGED, "the history's file ends before node %llu",
                          (unsigned long long)position);
    memcpy(ret_hash, page->nodes + place * CELLA_DIGEST_SIZE, CELLA_DIGEST_SIZE);
    return CELLA_OK;
}

static enum cella_status fetch_missing(struct fetch *fetch, bool fresh, struct cella_error *error) {
    struct cella_vault *vault = fetch->vault;
    if (vault->pages == NULL)
        vault->pages = calloc(VAULT_PAGES, sizeof *vault->pages);
    if (vault->pages == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for the history");
    for (size_t i = 0; i < fetch->count; i++) {
        if (fetch->nodes[i].known)
            continue;
        enum cella_status status =
            fetch_one(vault, fetch->nodes[i].position, fresh, fetch->nodes[i].hash, error);
        if (status != CELLA_OK)
            return status;
        fetch->nodes[i].known = true;
    }
    fetch->missing = 0;
    return CELLA_OK;
}

/* Gives `lock` back without doing what is due: callbacks may want to fetch nodes, too. */
static enum cella_status prove(struct fetch *fetch, const uint64_t range[2], uint8_t *out, size_t *ret_count,
                               struct cella_error *error) {
    const struct cella_tree_fetcher fetcher = {.context = fetch, .fetch = fetch_node};
    cella_vault_enter(fetch->vault);
    enum cella_status status = cella_tree_prove(
        fetch->vault->tree, (struct cella_tree_range){range[0], range[1]}, &fetcher, out, ret_count, error);
    pthread_mutex_unlock(&fetch->vault->lock);
    return status;
}

static enum cella_status prove_fetching(struct fetch *fetch, const uint64_t range[2], bool fresh,
                                        uint8_t *out, size_t *ret_count, struct cella_error *error) {
    for (int rounds = 0; rounds < CELLA_TREE_LEVELS; rounds++) {
        size_t count = 0;
        fetch->missing = 0;
        enum cella_status status = prove(fetch, range, out, &count, error);
        if (fetch->missing == 0) {
            if (status == CELLA_OK)
                *ret_count = count;
            return status;
        }
        status = fetch_missing(fetch, fresh, error);
        if (status != CELLA_OK)
            return status;
    }
    return cella_fail(error, CELLA_HISTORY_DAMAGED, "a proof needs more nodes than a tree has");
}

/* A page that was read long ago may be from before its nodes were written: what does not verify is read once
 * more. */
enum cella_status cella_vault_history_prove(struct cella_vault *vault, uint64_t from, uint64_t to,
                                            uint8_t *out, size_t *ret_count, struct cella_error *error) {
    const uint64_t range[2] = {from, to};
    struct fetch fetch = {.vault = vault};
    pthread_mutex_lock(&vault->fetching);
    enum cella_status status = prove_fetching(&fetch, range, false, out, ret_count, error);
    if (status == CELLA_HISTORY_DAMAGED && fetch.count > 0) {
        fetch = (struct fetch){.vault = vault};
        status = prove_fetching(&fetch, range, true, out, ret_count, error);
    }
    pthread_mutex_unlock(&vault->fetching);
    cella_vault_enter(vault);
    cella_vault_leave(vault);
    return status;
}
