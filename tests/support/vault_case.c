/* A vault with its store and machine, for tests. */
#include "support/vault_case.h"
#include <stdlib.h>
#include <string.h>

static unsigned release_order;

static void prepare(struct cella_vault_waiter *waiter, struct cella_vault_moment *moment) {
    struct test_answer *answer = (struct test_answer *)waiter;
    answer->prepared++;
    if (answer->vault != NULL)
        assert_status(cella_vault_moment_head(answer->vault, moment, &answer->head), CELLA_OK);
}

static void release(struct cella_vault_waiter *waiter, enum cella_status status) {
    struct test_answer *answer = (struct test_answer *)waiter;
    answer->status = status;
    if (status == CELLA_COMMIT_PENDING) {
        answer->pending++;
        return;
    }
    answer->released++;
    answer->order = ++release_order;
}

struct cella_vault_waiter *test_answer_init(struct test_answer *answer, struct cella_vault *vault) {
    memset(answer, 0, sizeof *answer);
    answer->waiter.prepare = prepare;
    answer->waiter.release = release;
    answer->vault = vault;
    return &answer->waiter;
}

struct cella_bytes test_text(const char *text) {
    return CELLA_BYTES(text, strlen(text));
}

static void on_lost(void *context, enum cella_status status, const char *message) {
    struct test_vault *vault = context;
    vault->lost++;
    vault->lost_status = status;
}

void test_vault_init(struct test_vault *vault) {
    memset(vault, 0, sizeof *vault);
    vault->store = test_store_new();
    test_machine_init(&vault->machine);
    vault->owner_count = 3;
    vault->owner_threshold = 2;
    for (unsigned i = 0; i < 3; i++) {
        uint8_t seed[CELLA_ED25519_SEED_SIZE];
        memset(seed, (int)(i + 1), sizeof seed);
        assert_status(cella_ed25519_from_seed(&vault->owners[i], seed), CELLA_OK);
    }
}

void test_vault_deinit(struct test_vault *vault) {
    test_vault_close(vault);
    for (unsigned i = 0; i < 3; i++)
        cella_ed25519_deinit(&vault->owners[i]);
    test_store_free(vault->store);
}

int test_vault_setup(void **state) {
    struct test_vault *vault = malloc(sizeof *vault);
    if (vault == NULL)
        return -1;
    test_vault_init(vault);
    assert_status(test_vault_create(vault), CELLA_OK);
    *state = vault;
    return 0;
}

int test_vault_teardown(void **state) {
    test_vault_deinit(*state);
    free(*state);
    return 0;
}

static struct cella_vault_options options(struct test_vault *vault) {
    return (struct cella_vault_options){.store = test_store_face(vault->store),
                                        .gathers = vault->gathers,
                                        .keys = &vault->machine.keys,
                                        .freshness = &vault->machine.freshness,
                                        .limits = vault->limits,
                                        .lost = on_lost,
                                        .lost_context = vault};
}

static int compare_owners(const void *a, const void *b) {
    return memcmp(a, b, CELLA_ED25519_PUBLIC_SIZE);
}

enum cella_status test_vault_create(struct test_vault *vault) {
    const struct cella_vault_options wanted = options(vault);
    struct cella_genesis genesis = {.kind = CELLA_VAULT_MACHINE,
                                    .owner_count = vault->owner_count,
                                    .owner_threshold = vault->owner_threshold};
    for (unsigned i = 0; i < vault->owner_count; i++)
        memcpy(genesis.owners[i], vault->owners[i].public_key, CELLA_ED25519_PUBLIC_SIZE);
    qsort(genesis.owners, vault->owner_count, sizeof genesis.owners[0], compare_owners);
    enum cella_status status =
        cella_vault_create(&wanted, &genesis, &vault->vault, &vault->report, &vault->error);
    if (status == CELLA_OK)
        test_store_attach(vault->store, vault->vault);
    return status;
}

enum cella_status test_vault_open(struct test_vault *vault) {
    const struct cella_vault_options wanted = options(vault);
    vault->error.message[0] = '\0';
    enum cella_status status = cella_vault_open(&wanted, &vault->vault, &vault->report, &vault->error);
    if (status == CELLA_OK)
        test_store_attach(vault->store, vault->vault);
    return status;
}

enum cella_status test_vault_check(struct test_vault *vault) {
    const struct cella_vault_options wanted = options(vault);
    vault->error.message[0] = '\0';
    return cella_vault_check(&wanted, &vault->report, &vault->error);
}

void test_vault_close(struct test_vault *vault) {
    test_store_attach(vault->store, NULL);
    cella_vault_free(vault->vault);
    vault->vault = NULL;
}

void test_vault_reopen(struct test_vault *vault) {
    test_vault_close(vault);
    test_store_restart(vault->store, 0);
    enum cella_status status = test_vault_open(vault);
    if (status != CELLA_OK)
        fail_msg("open: %s: %s", cella_status_name(status), vault->error.message);
}

enum cella_status test_vault_put(struct test_vault *vault, const char *key, const char *value,
                                 struct test_answer *answer) {
    struct cella_vault_waiter *waiter = answer == NULL ? NULL : test_answer_init(answer, vault->vault);
    enum cella_status status = cella_vault_begin(vault->vault, &vault->error);
    if (status != CELLA_OK)
        return status;
    status = cella_vault_put(vault->vault, CELLA_SPACE_USER, test_text(key), test_text(value));
    if (status == CELLA_OK)
        return cella_vault_commit(vault->vault, waiter);
    cella_vault_abort(vault->vault);
    return status;
}

enum cella_status test_vault_delete(struct test_vault *vault, const char *key, struct test_answer *answer) {
    struct cella_vault_waiter *waiter = answer == NULL ? NULL : test_answer_init(answer, vault->vault);
    enum cella_status status = cella_vault_begin(vault->vault, &vault->error);
    if (status != CELLA_OK)
        return status;
    status = cella_vault_delete(vault->vault, CELLA_SPACE_USER, test_text(key));
    if (status == CELLA_OK)
        return cella_vault_commit(vault->vault, waiter);
    cella_vault_abort(vault->vault);
    return status;
}

bool test_vault_has(struct test_vault *vault, const char *key, const char *value) {
    struct cella_bytes got;
    assert_status(cella_vault_begin(vault->vault, &vault->error), CELLA_OK);
    bool found = cella_vault_get(vault->vault, CELLA_SPACE_USER, test_text(key), &got);
    if (value == NULL)
        found = !found;
    else
        found = found && got.size == strlen(value) && memcmp(got.data, value, got.size) == 0;
    cella_vault_abort(vault->vault);
    return found;
}

struct cella_signed_head test_vault_head(struct test_vault *vault) {
    struct cella_vault_reading reading;
    struct cella_signed_head head;
    assert_status(cella_vault_read(vault->vault, &reading), CELLA_OK);
    assert_status(cella_vault_moment_head(vault->vault, reading.moment, &head), CELLA_OK);
    cella_vault_reading_release(vault->vault, &reading);
    return head;
}

void test_vault_authorise(struct test_vault *vault, unsigned signers, struct cella_restore *ret_restore) {
    const struct cella_vault_report *report = &vault->report;
    struct cella_restore restore = {.lineage = report->lineage + 1,
                                    .from = report->found,
                                    .lost_to = report->found.version,
                                    .time = 1700000000,
                                    .reason = "test"};
    restore.epoch =
        report->register_epoch > report->found.epoch ? report->register_epoch : report->found.epoch;
    memcpy(restore.vault_id, report->vault_id, sizeof restore.vault_id);
    memcpy(restore.from_root, report->found_root, sizeof restore.from_root);
    for (unsigned i = 0; i < signers; i++)
        assert_status(cella_restore_sign(&restore, &vault->owners[i], &vault->error), CELLA_OK);
    *ret_restore = restore;
}

void test_vault_place_restore(struct test_vault *vault, const struct cella_restore *restore) {
    uint8_t bytes[CELLA_RESTORE_SIZE_MAX];
    size_t size;
    assert_status(cella_restore_write(restore, bytes, &size, &vault->error), CELLA_OK);
    test_store_put(vault->store, CELLA_STORE_RESTORE, 0, CELLA_BYTES(bytes, size));
}
