/* The history tree against the definitions of RFC 9162, written out naively. */
#include "state/tree.h"
#include "crypto/hash.h"
#include "state/tree_internal.h"
#include "support/test.h"
#include <stdlib.h>
#include <string.h>

#define HASH CELLA_DIGEST_SIZE

enum { SMALL = 300, LARGE = 5000 };

static uint8_t leaves[LARGE][HASH];
/* MTH of every range that the definitions ask for, by its start and end; computed once. */
static uint8_t (*roots)[SMALL + 1][HASH];
static bool (*known)[SMALL + 1];

static uint64_t split(uint64_t size) {
    uint64_t k = 1;
    while (k * 2 < size)
        k *= 2;
    return k;
}

static void naive_mth(const uint8_t (*of)[HASH], size_t size, uint8_t out[HASH]) {
    uint8_t left[HASH], right[HASH];
    if (size == 0) {
        cella_sha256("", 0, out);
    } else if (size == 1) {
        cella_tree_hash_leaf(of[0], out);
    } else {
        size_t k = split(size);
        naive_mth(of, k, left);
        naive_mth(of + k, size - k, right);
        cella_tree_hash_children(left, right, out);
    }
}

static const uint8_t *mth(size_t from, size_t to) {
    if (!known[from][to]) {
        if (to - from < 2) {
            naive_mth((const uint8_t(*)[HASH])leaves + from, to - from, roots[from][to]);
        } else {
            size_t k = split(to - from);
            cella_tree_hash_children(mth(from, from + k), mth(from + k, to), roots[from][to]);
        }
        known[from][to] = true;
    }
    return roots[from][to];
}

/* SUBPROOF of the RFC, but always with the root that it leaves out for the old tree itself. */
static size_t subproof(size_t m, size_t from, size_t to, uint8_t *out) {
    size_t n = to - from;
    if (m == n) {
        memcpy(out, mth(from, to), HASH);
        return 1;
    }
    size_t k = split(n);
    size_t count = m <= k ? subproof(m, from, from + k, out) : subproof(m - k, from + k, to, out);
    memcpy(out + count * HASH, m <= k ? mth(from + k, to) : mth(from, from + k), HASH);
    return count + 1;
}

static int setup(void **state) {
    struct cella_bytes pattern = test_pattern(sizeof leaves, 1);
    memcpy(leaves, pattern.data, sizeof leaves);
    roots = calloc(SMALL + 1, sizeof *roots);
    known = calloc(SMALL + 1, sizeof *known);
    return roots == NULL || known == NULL;
}

static int teardown(void **state) {
    free(roots);
    free(known);
    return 0;
}

static struct cella_tree *tree_of(uint64_t size) {
    struct cella_tree *tree = NULL;
    assert_status(cella_tree_new(&tree), CELLA_OK);
    for (uint64_t i = 0; i < size; i++)
        cella_tree_append(tree, leaves[i]);
    return tree;
}

/* The history file, as a host keeps it, with what was asked of it. */
struct file {
    uint8_t *nodes;
    uint64_t count;
    uint64_t asked[1024];
    size_t asked_count;
    uint64_t damaged; /* position, UINT64_MAX: none */
    enum cella_status status;
};

static void file_grow(struct file *file, const struct cella_tree *tree) {
    size_t found;
    do {
        found = cella_tree_nodes(tree, file->count, 100, file->nodes + file->count * HASH);
        file->count += found;
    } while (found > 0);
    assert_true(file->count == cella_tree_node_count(cella_tree_size(tree)));
}

static void file_init(struct file *file, uint64_t size) {
    *file = (struct file){.nodes = malloc(2 * size * HASH), .damaged = UINT64_MAX};
    assert_non_null(file->nodes);
    struct cella_tree *tree = tree_of(0);
    for (uint64_t i = 0; i < size; i++) {
        cella_tree_append(tree, leaves[i]);
        if (i % 77 == 0 || i + 1 == size)
            file_grow(file, tree);
    }
    cella_tree_free(tree);
}

static enum cella_status fetch(void *context, struct cella_tree_node node, uint8_t ret_hash[HASH]) {
    struct file *file = context;
    uint64_t position = cella_tree_position(node);
    if (file->status != CELLA_OK)
        return file->status;
    assert_true(position < file->count);
    if (file->asked_count < 1024)
        file->asked[file->asked_count++] = position;
    memcpy(ret_hash, file->nodes + position * HASH, HASH);
    ret_hash[5] ^= position == file->damaged;
    return CELLA_OK;
}

static void roots_are_those_of_the_definition(void **state) {
    uint8_t root[HASH];
    struct cella_tree *tree = tree_of(0);
    for (size_t size = 0; size <= SMALL; size++) {
        cella_tree_root(tree, root);
        assert_memory_equal(root, mth(0, size), HASH);
        assert_true(cella_tree_size(tree) == size);
        for (size_t old = 0; old <= size; old++) {
            assert_status(cella_tree_root_at(tree, old, NULL, root, NULL), CELLA_OK);
            assert_memory_equal(root, mth(0, old), HASH);
        }
        assert_status(cella_tree_root_at(tree, size + 1, NULL, root, NULL), CELLA_ARGUMENT);
        cella_tree_append(tree, leaves[size]);
    }
    cella_tree_free(tree);
}

static void proofs_are_those_of_the_definition_and_verify(void **state) {
    uint8_t expected[CELLA_TREE_PROOF_NODES * HASH], proof[CELLA_TREE_PROOF_NODES * HASH];
    uint8_t from_root[HASH], to_root[HASH];
    struct cella_tree *tree = tree_of(SMALL);
    for (size_t to = 0; to <= SMALL; to++)
        for (size_t from = 0; from <= to; from++) {
            size_t count = 1000;
            assert_status(
                cella_tree_prove(tree, (struct cella_tree_range){from, to}, NULL, proof, &count, NULL),
                CELLA_OK);
            if (from == 0 || from == to) {
                assert_int_equal(count, 0);
                continue;
            }
            size_t right = subproof(from, 0, to, expected);
            assert_bytes(CELLA_BYTES(proof, count * HASH), CELLA_BYTES(expected, right * HASH));
            assert_status(
                cella_tree_consistency(from, to, CELLA_BYTES(proof, count * HASH), from_root, to_root),
                CELLA_OK);
            assert_memory_equal(from_root, mth(0, from), HASH);
            assert_memory_equal(to_root, mth(0, to), HASH);
        }
    cella_tree_free(tree);
}

static void sizes_that_never_were_are_refused(void **state) {
    uint8_t proof[CELLA_TREE_PROOF_NODES * HASH];
    size_t count = 0;
    struct cella_tree *tree = tree_of(10);
    assert_status(cella_tree_prove(tree, (struct cella_tree_range){3, 11}, NULL, proof, &count, NULL),
                  CELLA_ARGUMENT);
    assert_status(cella_tree_prove(tree, (struct cella_tree_range){6, 5}, NULL, proof, &count, NULL),
                  CELLA_ARGUMENT);
    cella_tree_free(tree);
}

static void a_tree_goes_on_from_its_frontier_at_every_size(void **state) {
    uint8_t frontier[CELLA_TREE_LEVELS * HASH], again[CELLA_TREE_LEVELS * HASH];
    uint8_t proof[CELLA_TREE_PROOF_NODES * HASH], expected[CELLA_TREE_PROOF_NODES * HASH], root[HASH];
    struct file file;
    file_init(&file, SMALL);
    struct cella_tree_fetcher fetcher = {.context = &file, .fetch = fetch};
    for (size_t size = 0; size <= SMALL; size++) {
        struct cella_tree *whole = tree_of(size), *tree = NULL;
        size_t count = cella_tree_frontier(whole, frontier);
        assert_status(cella_tree_restore(size, CELLA_BYTES(frontier, count * HASH), &tree), CELLA_OK);
        assert_int_equal(cella_tree_frontier(tree, again), count);
        assert_memory_equal(frontier, again, count * HASH);
        for (size_t i = size; i < SMALL; i++)
            cella_tree_append(tree, leaves[i]);
        cella_tree_root(tree, root);
        assert_memory_equal(root, mth(0, SMALL), HASH);
        for (size_t from = 1; from < SMALL; from++) {
            size_t to = from + 1 + from % (SMALL - from);
            size_t right = subproof(from, 0, to, expected);
            assert_status(
                cella_tree_prove(tree, (struct cella_tree_range){from, to}, &fetcher, proof, &count, NULL),
                CELLA_OK);
            assert_bytes(CELLA_BYTES(proof, count * HASH), CELLA_BYTES(expected, right * HASH));
        }
        cella_tree_free(whole);
        cella_tree_free(tree);
    }
    free(file.nodes);
}

static void a_frontier_of_another_size_is_refused(void **state) {
    uint8_t frontier[CELLA_TREE_LEVELS * HASH] = {0};
    struct cella_tree *tree = NULL;
    assert_status(cella_tree_restore(7, CELLA_BYTES(frontier, 2 * HASH), &tree), CELLA_DAMAGED);
    assert_status(cella_tree_restore(7, CELLA_BYTES(frontier, 3 * HASH - 1), &tree), CELLA_DAMAGED);
    assert_status(cella_tree_restore(CELLA_VERSION_MAX + 1, CELLA_BYTES(frontier, 2 * HASH), &tree),
                  CELLA_DAMAGED);
    assert_null(tree);
    cella_tree_free(NULL);
}

static void nodes_come_in_the_order_in_which_they_are_completed(void **state) {
    uint8_t nodes[2 * SMALL * HASH];
    struct cella_tree *tree = tree_of(SMALL);
    uint64_t position = 0;
    for (uint64_t end = 1; end <= SMALL; end++) {
        assert_true(cella_tree_node_count(end - 1) == position);
        for (uint8_t level = 0; end % (UINT64_C(1) << level) == 0; level++) {
            struct cella_tree_node node = {.level = level, .index = (end >> level) - 1};
            assert_true(cella_tree_position(node) == position);
            assert_int_equal(cella_tree_nodes(tree, position, 1, nodes), 1);
            assert_memory_equal(nodes, mth(end - (UINT64_C(1) << level), end), HASH);
            position++;
        }
    }
    assert_int_equal(cella_tree_nodes(tree, position, 1, nodes), 0);
    assert_int_equal(cella_tree_nodes(tree, 17, sizeof nodes, nodes), position - 17);
    assert_true(cella_tree_oldest(tree) == 0);
    cella_tree_free(tree);
}

static void the_newest_nodes_are_kept_and_no_older_ones(void **state) {
    static uint8_t nodes[2 * LARGE * HASH];
    struct cella_tree *tree = tree_of(0);
    for (uint64_t size = 1; size <= LARGE; size++) {
        cella_tree_append(tree, leaves[size - 1]);
        uint64_t oldest = cella_tree_oldest(tree);
        uint64_t recent = size > CELLA_TREE_RECENT ? size - CELLA_TREE_RECENT : 0;
        assert_true(oldest <= cella_tree_node_count(recent));
        if (oldest > 0)
            assert_int_equal(cella_tree_nodes(tree, oldest - 1, 1, nodes), 0);
        if (size % 97 != 0)
            continue;
        uint64_t rest = cella_tree_node_count(size) - oldest;
        assert_int_equal(cella_tree_nodes(tree, oldest, SIZE_MAX, nodes), rest);
    }
    cella_tree_free(tree);
}

static void recent_proofs_need_nothing_from_the_host(void **state) {
    uint8_t proof[CELLA_TREE_PROOF_NODES * HASH], from_root[HASH], to_root[HASH];
    static uint8_t roots_at[LARGE + 1][HASH];
    size_t count = 0;
    struct cella_tree *tree = tree_of(0);
    for (uint64_t size = 1; size <= LARGE; size++) {
        cella_tree_append(tree, leaves[size - 1]);
        cella_tree_root(tree, roots_at[size]);
        if (size % 61 != 0)
            continue;
        uint64_t first = size > CELLA_TREE_RECENT ? size - CELLA_TREE_RECENT : 1;
        for (uint64_t from = first; from <= size; from += 13)
            for (uint64_t to = from + 1; to <= size; to += 101) {
                assert_status(
                    cella_tree_prove(tree, (struct cella_tree_range){from, to}, NULL, proof, &count, NULL),
                    CELLA_OK);
                assert_status(
                    cella_tree_consistency(from, to, CELLA_BYTES(proof, count * HASH), from_root, to_root),
                    CELLA_OK);
                assert_memory_equal(from_root, roots_at[from], HASH);
                assert_memory_equal(to_root, roots_at[to], HASH);
            }
    }
    cella_tree_free(tree);
}

static void a_tree_of_immense_size_proves_its_newest_part(void **state) {
    static const uint64_t sizes[] = {(UINT64_C(1) << 40) + 12345, (UINT64_C(1) << 61) - 1, UINT64_C(1) << 61,
                                     CELLA_VERSION_MAX - 700};
    static uint8_t roots_at[700][HASH];
    uint8_t proof[CELLA_TREE_PROOF_NODES * HASH], from_root[HASH], to_root[HASH];
    struct cella_bytes frontier = test_pattern((size_t)CELLA_TREE_LEVELS * HASH, 7);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct cella_tree *tree = NULL;
        size_t count = (size_t)__builtin_popcountll(sizes[i]);
        assert_status(cella_tree_restore(sizes[i], CELLA_BYTES(frontier.data, count * HASH), &tree),
                      CELLA_OK);
        for (size_t more = 0; more < 700; more++) {
            cella_tree_root(tree, roots_at[more]);
            cella_tree_append(tree, leaves[more]);
        }
        for (uint64_t from = 0; from < 699; from++) {
            uint64_t to = from + 1 + from % (699 - from);
            assert_status(cella_tree_prove(tree, (struct cella_tree_range){sizes[i] + from, sizes[i] + to},
                                           NULL, proof, &count, NULL),
                          CELLA_OK);
            assert_status(cella_tree_consistency(sizes[i] + from, sizes[i] + to,
                                                 CELLA_BYTES(proof, count * HASH), from_root, to_root),
                          CELLA_OK);
            assert_memory_equal(from_root, roots_at[from], HASH);
            assert_memory_equal(to_root, roots_at[to], HASH);
        }
        cella_tree_free(tree);
    }
}

/* Sizes whose proofs need old nodes: of the newest size, of one within the window, of one far behind. */
static const uint64_t old_proofs[][2] = {{3, LARGE},           {4, LARGE},         {1, LARGE - 900},
                                         {1777, LARGE - 1024}, {LARGE / 2, LARGE}, {1023, 3001},
                                         {1024, 2048},         {999, 1000}};

static void old_proofs_come_from_the_file_and_are_right(void **state) {
    uint8_t proof[CELLA_TREE_PROOF_NODES * HASH], from_root[HASH], to_root[HASH], root[HASH];
    struct file file;
    struct cella_tree_fetcher fetcher = {.context = &file, .fetch = fetch};
    struct cella_tree *tree = tree_of(LARGE);
    file_init(&file, LARGE);
    for (size_t i = 0; i < sizeof old_proofs / sizeof old_proofs[0]; i++) {
        uint64_t from = old_proofs[i][0], to = old_proofs[i][1];
        size_t count = 0;
        assert_status(
            cella_tree_prove(tree, (struct cella_tree_range){from, to}, &fetcher, proof, &count, NULL),
            CELLA_OK);
        assert_status(cella_tree_consistency(from, to, CELLA_BYTES(proof, count * HASH), from_root, to_root),
                      CELLA_OK);
        naive_mth((const uint8_t(*)[HASH])leaves, from, root);
        assert_memory_equal(root, from_root, HASH);
        assert_status(cella_tree_root_at(tree, from, &fetcher, root, NULL), CELLA_OK);
        assert_memory_equal(root, from_root, HASH);
        naive_mth((const uint8_t(*)[HASH])leaves, to, root);
        assert_memory_equal(root, to_root, HASH);
    }
    assert_true(file.asked_count > 0);
    free(file.nodes);
    cella_tree_free(tree);
}

/* Some nodes are read on the way and do not matter in the end; whatever does is found. */
static void a_wrong_node_at_any_place_never_gives_a_wrong_proof(void **state) {
    uint8_t right[CELLA_TREE_PROOF_NODES * HASH], proof[CELLA_TREE_PROOF_NODES * HASH];
    struct file file;
    struct cella_tree_fetcher fetcher = {.context = &file, .fetch = fetch};
    struct cella_tree *tree = tree_of(LARGE);
    file_init(&file, LARGE);
    for (size_t i = 0; i < sizeof old_proofs / sizeof old_proofs[0]; i++) {
        uint64_t from = old_proofs[i][0], to = old_proofs[i][1];
        size_t right_count = 0, refused = 0;
        file.asked_count = 0;
        file.damaged = UINT64_MAX;
        assert_status(
            cella_tree_prove(tree, (struct cella_tree_range){from, to}, &fetcher, right, &right_count, NULL),
            CELLA_OK);
        size_t asked_count = file.asked_count;
        for (size_t asked = 0; asked < asked_count; asked++) {
            size_t count = 0;
            file.damaged = file.asked[asked];
            enum cella_status status =
                cella_tree_prove(tree, (struct cella_tree_range){from, to}, &fetcher, proof, &count, NULL);
            if (status == CELLA_OK)
                assert_bytes(CELLA_BYTES(proof, count * HASH), CELLA_BYTES(right, right_count * HASH));
            else
                assert_status(status, CELLA_HISTORY_DAMAGED);
            refused += status == CELLA_HISTORY_DAMAGED;
        }
        assert_true(refused > 0 && refused <= asked_count);
    }
    free(file.nodes);
    cella_tree_free(tree);
}

static void every_wrong_node_of_a_proof_to_the_newest_size_is_found(void **state) {
    uint8_t proof[CELLA_TREE_PROOF_NODES * HASH], root[HASH];
    size_t count = 0;
    struct file file;
    struct cella_tree_fetcher fetcher = {.context = &file, .fetch = fetch};
    struct cella_tree *tree = tree_of(LARGE);
    file_init(&file, LARGE);
    assert_status(
        cella_tree_prove(tree, (struct cella_tree_range){1235, LARGE}, &fetcher, proof, &count, NULL),
        CELLA_OK);
    size_t asked_count = file.asked_count;
    assert_true(asked_count > 5);
    for (size_t asked = 0; asked < asked_count; asked++) {
        file.damaged = file.asked[asked];
        assert_status(
            cella_tree_prove(tree, (struct cella_tree_range){1235, LARGE}, &fetcher, proof, &count, NULL),
            CELLA_HISTORY_DAMAGED);
        assert_status(cella_tree_root_at(tree, 1235, &fetcher, root, NULL), CELLA_HISTORY_DAMAGED);
    }
    free(file.nodes);
    cella_tree_free(tree);
}

static void a_node_that_cannot_be_had_ends_the_proof(void **state) {
    uint8_t proof[CELLA_TREE_PROOF_NODES * HASH], root[HASH];
    size_t count = 0;
    struct file file = {.status = CELLA_STORAGE_IO};
    struct cella_tree_fetcher fetcher = {.context = &file, .fetch = fetch};
    struct cella_tree *tree = tree_of(LARGE);
    assert_status(cella_tree_prove(tree, (struct cella_tree_range){3, LARGE}, &fetcher, proof, &count, NULL),
                  CELLA_STORAGE_IO);
    assert_status(cella_tree_root_at(tree, 3, &fetcher, root, NULL), CELLA_STORAGE_IO);
    assert_status(cella_tree_prove(tree, (struct cella_tree_range){3, LARGE}, NULL, proof, &count, NULL),
                  CELLA_NOT_FOUND);
    cella_tree_free(tree);
}

static void a_proof_of_another_length_is_refused(void **state) {
    uint8_t proof[(CELLA_TREE_PROOF_NODES + 1) * HASH] = {0}, from_root[HASH], to_root[HASH];
    struct cella_tree *tree = tree_of(50);
    for (uint64_t to = 2; to <= 50; to++)
        for (uint64_t from = 1; from < to; from++) {
            size_t right = 0;
            assert_status(
                cella_tree_prove(tree, (struct cella_tree_range){from, to}, NULL, proof, &right, NULL),
                CELLA_OK);
            for (size_t size = 0; size <= (right + 1) * HASH; size += HASH / 2)
                if (size != right * HASH)
                    assert_status(
                        cella_tree_consistency(from, to, CELLA_BYTES(proof, size), from_root, to_root),
                        CELLA_DAMAGED);
        }
    cella_tree_free(tree);
}

static void a_wrong_proof_does_not_lead_to_the_newer_root(void **state) {
    uint8_t proof[CELLA_TREE_PROOF_NODES * HASH], from_root[HASH], to_root[HASH];
    struct cella_tree *tree = tree_of(50);
    for (uint64_t from = 1; from < 50; from++) {
        size_t count = 0;
        assert_status(cella_tree_prove(tree, (struct cella_tree_range){from, 50}, NULL, proof, &count, NULL),
                      CELLA_OK);
        for (size_t node = 0; node < count; node++) {
            proof[node * HASH + 9] ^= 0x40;
            assert_status(
                cella_tree_consistency(from, 50, CELLA_BYTES(proof, count * HASH), from_root, to_root),
                CELLA_OK);
            assert_memory_not_equal(to_root, mth(0, 50), HASH);
            proof[node * HASH + 9] ^= 0x40;
        }
    }
    cella_tree_free(tree);
}

/* Also where the older size is a power of two, of which the RFC's proof says nothing. */
static void the_proof_of_a_fork_leads_to_its_own_root_and_not_to_the_other_older_one(void **state) {
    uint8_t proof[CELLA_TREE_PROOF_NODES * HASH], from_root[HASH], to_root[HASH], root[HASH];
    for (uint64_t from = 101; from < 200; from++) {
        size_t count = 0;
        struct cella_tree *other = tree_of(100);
        for (uint64_t i = 100; i < 200; i++)
            cella_tree_append(other, leaves[1000 + i]);
        assert_status(
            cella_tree_prove(other, (struct cella_tree_range){from, 200}, NULL, proof, &count, NULL),
            CELLA_OK);
        assert_status(cella_tree_consistency(from, 200, CELLA_BYTES(proof, count * HASH), from_root, to_root),
                      CELLA_OK);
        cella_tree_root(other, root);
        assert_memory_equal(to_root, root, HASH);
        assert_memory_not_equal(from_root, mth(0, from), HASH);
        cella_tree_free(other);
    }
}

static void the_worked_example_is_reproduced(void **state) {
    static const char vector[] = "state/example.txt";
    uint8_t out[2 * 7 * HASH], root[HASH];
    size_t count = 0;
    struct cella_bytes records = test_vector_field(vector, "records");
    struct cella_tree *tree = tree_of(0);
    for (size_t i = 0; i < 7; i++)
        cella_tree_append(tree, records.data + i * HASH);
    assert_int_equal(cella_tree_node_count(7), 11);
    assert_int_equal(cella_tree_nodes(tree, 0, 100, out), 11);
    assert_bytes(CELLA_BYTES(out, 11 * HASH), test_vector_field(vector, "history_file"));
    count = cella_tree_frontier(tree, out);
    assert_bytes(CELLA_BYTES(out, count * HASH), test_vector_field(vector, "frontier_7"));
    cella_tree_root(tree, root);
    assert_bytes(CELLA_BYTES(root, HASH), test_vector_field(vector, "root_7"));
    assert_status(cella_tree_root_at(tree, 3, NULL, root, NULL), CELLA_OK);
    assert_bytes(CELLA_BYTES(root, HASH), test_vector_field(vector, "root_3"));
    assert_status(cella_tree_prove(tree, (struct cella_tree_range){3, 7}, NULL, out, &count, NULL), CELLA_OK);
    assert_bytes(CELLA_BYTES(out, count * HASH), test_vector_field(vector, "proof_3_7"));
    assert_status(cella_tree_prove(tree, (struct cella_tree_range){4, 7}, NULL, out, &count, NULL), CELLA_OK);
    assert_bytes(CELLA_BYTES(out, count * HASH), test_vector_field(vector, "proof_4_7"));
    cella_tree_free(tree);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_those_of_the_definition),
        cmocka_unit_test(proofs_are_those_of_the_definition_and_verify),
        cmocka_unit_test(sizes_that_never_were_are_refused),
        cmocka_unit_test(a_tree_goes_on_from_its_frontier_at_every_size),
        cmocka_unit_test(a_frontier_of_another_size_is_refused),
        cmocka_unit_test(nodes_come_in_the_order_in_which_they_are_completed),
        cmocka_unit_test(the_newest_nodes_are_kept_and_no_older_ones),
        cmocka_unit_test(recent_proofs_need_nothing_from_the_host),
        cmocka_unit_test(a_tree_of_immense_size_proves_its_newest_part),
        cmocka_unit_test(old_proofs_come_from_the_file_and_are_right),
        cmocka_unit_test(a_wrong_node_at_any_place_never_gives_a_wrong_proof),
        cmocka_unit_test(every_wrong_node_of_a_proof_to_the_newest_size_is_found),
        cmocka_unit_test(a_node_that_cannot_be_had_ends_the_proof),
        cmocka_unit_test(a_proof_of_another_length_is_refused),
        cmocka_unit_test(a_wrong_proof_does_not_lead_to_the_newer_root),
        cmocka_unit_test(the_proof_of_a_fork_leads_to_its_own_root_and_not_to_the_other_older_one),
        cmocka_unit_test(the_worked_example_is_reproduced),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
