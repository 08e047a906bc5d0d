/* Keys and owner register of a vault that is bound to one machine. */
#include "enclave/machine_source.h"
#include "leaf_machine.h"
#include "unit/machine/fixture.h"
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Offsets in the info. */
enum {
    SECURITY_VERSION = 4,
    PRODUCT = 6,
    PLATFORM_VERSION = 8,
    MASKS = 24,
    KEY_ID = 48,
    FLAGS = 80,
    IDENTITY = 88
};

static const struct fixture_image image = {.signer = SIGNER_ONE, .code = 1, .isv_prod_id = 7, .isv_svn = 3};
static const uint8_t vault_id[CELLA_VAULT_ID_SIZE] = "vault";
static struct cella_error error;

/* An enclave on a machine; the sources work for the one that entered last. */
struct party {
    struct cella_machine *machine;
    struct cella_machine_identity identity;
    struct cella_settings settings;
};

static void enter(struct party *party) {
    leaf_machine_use(party->machine, &party->identity);
    cella_machine_source_init(&party->settings);
}

static void begin(struct party *party, const char *machine_path, const struct fixture_image *what,
                  enum cella_vault_key_policy policy) {
    memset(party, 0, sizeof *party);
    party->machine = fixture_open(machine_path);
    party->identity = fixture_identity(party->machine, what);
    party->settings.key_policy = policy;
    enter(party);
}

static void end(struct party *party) {
    cella_machine_free(party->machine);
}

struct made {
    struct cella_key_info info;
    uint8_t key[CELLA_ROOT_KEY_SIZE];
};

static struct made make(void) {
    struct made made = {0};
    assert_status(cella_machine_keys.make(cella_machine_keys.context, &made.info, made.key, &error),
                  CELLA_OK);
    assert_int_equal(made.info.size, CELLA_MACHINE_KEY_INFO_SIZE);
    return made;
}

static enum cella_status open_info(struct cella_bytes info, uint8_t key[CELLA_ROOT_KEY_SIZE],
                                   bool *ret_outdated) {
    return cella_machine_keys.open(cella_machine_keys.context, info, key, ret_outdated, &error);
}

/* True if the enclave that entered last finds the same key. */
static bool finds(const struct made *made, bool outdated_expected) {
    uint8_t key[CELLA_ROOT_KEY_SIZE];
    bool outdated = !outdated_expected;
    assert_status(open_info(CELLA_BYTES(made->info.data, made->info.size), key, &outdated), CELLA_OK);
    assert_int_equal(outdated, outdated_expected);
    return memcmp(key, made->key, sizeof key) == 0;
}

static enum cella_status refusal(const struct made *made) {
    uint8_t key[CELLA_ROOT_KEY_SIZE];
    bool outdated;
    return open_info(CELLA_BYTES(made->info.data, made->info.size), key, &outdated);
}

static void a_key_is_found_again_by_its_info(void **state) {
    const char *path = fixture_create(*state, "m");
    struct party party;
    begin(&party, path, &image, CELLA_VAULT_KEYS_SIGNER);
    struct made made = make();
    assert_true(finds(&made, false));
    end(&party);
    begin(&party, path, &image, CELLA_VAULT_KEYS_SIGNER);
    assert_true(finds(&made, false));
    end(&party);
}

static void each_key_is_another_one(void **state) {
    struct party party;
    begin(&party, fixture_create(*state, "m"), &image, CELLA_VAULT_KEYS_SIGNER);
    struct made first = make(), second = make();
    assert_memory_not_equal(first.key, second.key, sizeof first.key);
    assert_memory_not_equal(first.info.data, second.info.data, first.info.size);
    end(&party);
}

static void a_later_image_of_the_product_finds_it_under_the_signers_policy_only(void **state) {
    const char *path = fixture_create(*state, "m");
    struct fixture_image rebuilt = image;
    rebuilt.code = 2;
    for (int policy = CELLA_VAULT_KEYS_IMAGE; policy <= CELLA_VAULT_KEYS_SIGNER; policy++) {
        struct party party;
        begin(&party, path, &image, (enum cella_vault_key_policy)policy);
        struct made made = make();
        end(&party);
        begin(&party, path, &rebuilt, (enum cella_vault_key_policy)policy);
        if (policy == CELLA_VAULT_KEYS_SIGNER)
            assert_true(finds(&made, false));
        else
            assert_status(refusal(&made), CELLA_VAULT_OTHER_SIGNER);
        end(&party);
    }
}

static void others_are_refused_by_name(void **state) {
    const char *path = fixture_create(*state, "m");
    struct fixture_image others[] = {image, image, image};
    struct party party;
    others[0].signer = SIGNER_TWO;
    others[1].isv_prod_id = 8;
    others[2].extra_flags = CELLA_ATTRIBUTE_DEBUG;
    begin(&party, path, &image, CELLA_VAULT_KEYS_SIGNER);
    struct made made = make();
    end(&party);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        begin(&party, path, &others[i], CELLA_VAULT_KEYS_SIGNER);
        assert_status(refusal(&made), CELLA_VAULT_OTHER_SIGNER);
        end(&party);
    }
}

/* The holder's name in an info is no more than a name: whoever writes his own there gets another key. */
static void others_that_claim_it_find_another_key(void **state) {
    const char *path = fixture_create(*state, "m");
    struct fixture_image others[] = {image, image, image};
    struct party party;
    others[0].signer = SIGNER_TWO;
    others[1].isv_prod_id = 8;
    others[2].extra_flags = CELLA_ATTRIBUTE_DEBUG;
    begin(&party, path, &image, CELLA_VAULT_KEYS_SIGNER);
    struct made made = make();
    end(&party);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        begin(&party, path, &others[i], CELLA_VAULT_KEYS_SIGNER);
        struct made claimed = make();
        memcpy(claimed.info.data + KEY_ID, made.info.data + KEY_ID, 32);
        memcpy(claimed.key, made.key, sizeof claimed.key);
        assert_false(finds(&claimed, false));
        end(&party);
    }
}

static void another_machine_finds_another_key(void **state) {
    struct party party;
    begin(&party, fixture_create(*state, "m"), &image, CELLA_VAULT_KEYS_SIGNER);
    struct made made = make();
    end(&party);
    begin(&party, fixture_create(*state, "other"), &image, CELLA_VAULT_KEYS_SIGNER);
    assert_false(finds(&made, false));
    end(&party);
}

static void a_key_of_the_other_policy_is_refused_by_name(void **state) {
    struct party party;
    begin(&party, fixture_create(*state, "m"), &image, CELLA_VAULT_KEYS_SIGNER);
    struct made made = make();
    party.settings.key_policy = CELLA_VAULT_KEYS_IMAGE;
    enter(&party);
    assert_status(refusal(&made), CELLA_VAULT_OTHER_SIGNER);
    made = make();
    party.settings.key_policy = CELLA_VAULT_KEYS_SIGNER;
    enter(&party);
    assert_status(refusal(&made), CELLA_VAULT_OTHER_SIGNER);
    end(&party);
}

static void a_key_of_an_older_platform_version_opens_and_is_outdated(void **state) {
    const char *path = fixture_create(*state, "m");
    struct party party;
    begin(&party, path, &image, CELLA_VAULT_KEYS_SIGNER);
    struct made old = make();
    end(&party);
    fixture_set_version(path, 4);
    begin(&party, path, &image, CELLA_VAULT_KEYS_SIGNER);
    assert_true(finds(&old, true));
    struct made new = make();
    assert_true(finds(&new, false));
    end(&party);
    /* Back on the older version: what was sealed anew is out of reach, the old is not. */
    fixture_set_version(path, 3);
    begin(&party, path, &image, CELLA_VAULT_KEYS_SIGNER);
    assert_status(refusal(&new), CELLA_KEY_CPU_SVN);
    assert_true(finds(&old, false));
    end(&party);
}

static void a_key_of_an_older_security_version_opens_and_is_outdated(void **state) {
    const char *path = fixture_create(*state, "m");
    struct fixture_image newer = image;
    struct party party;
    newer.isv_svn = 4;
    newer.code = 2;
    begin(&party, path, &image, CELLA_VAULT_KEYS_SIGNER);
    struct made old = make();
    end(&party);
    begin(&party, path, &newer, CELLA_VAULT_KEYS_SIGNER);
    assert_true(finds(&old, true));
    struct made new = make();
    end(&party);
    begin(&party, path, &image, CELLA_VAULT_KEYS_SIGNER);
    assert_status(refusal(&new), CELLA_KEY_ISV_SVN);
    end(&party);
}

static bool opens(void *context, struct cella_bytes info) {
    uint8_t key[CELLA_ROOT_KEY_SIZE];
    bool outdated;
    return open_info(info, key, &outdated) == CELLA_OK;
}

static void an_info_of_another_size_is_refused(void **state) {
    struct party party;
    begin(&party, fixture_create(*state, "m"), &image, CELLA_VAULT_KEYS_SIGNER);
    struct made made = make();
    struct cella_bytes good = CELLA_BYTES(made.info.data, made.info.size);
    assert_true(opens(NULL, good));
    for (size_t size = 0; size < good.size; size++)
        assert_false(opens(NULL, test_copy(CELLA_BYTES(good.data, size))));
    test_extension_refused(good, opens, NULL);
    end(&party);
}

static void no_changed_info_gives_the_key_and_only_versions_and_id_may_differ_at_all(void **state) {
    struct party party;
    begin(&party, fixture_create(*state, "m"), &image, CELLA_VAULT_KEYS_SIGNER);
    struct made made = make();
    for (size_t bit = 0; bit < 8 * made.info.size; bit++) {
        struct made changed = made;
        uint8_t key[CELLA_ROOT_KEY_SIZE];
        bool outdated;
        size_t at = bit / 8;
        changed.info.data[at] ^= (uint8_t)(1u << bit % 8);
        enum cella_status status =
            open_info(CELLA_BYTES(changed.info.data, changed.info.size), key, &outdated);
        if (status == CELLA_OK)
            assert_memory_not_equal(key, made.key, sizeof key);
        if (at < SECURITY_VERSION || (at >= MASKS && at < KEY_ID))
            assert_true(status == CELLA_DAMAGED || status == CELLA_NEWER_FORMAT ||
                        status == CELLA_VAULT_OTHER_SIGNER);
        else if (at < PRODUCT)
            assert_true(status == CELLA_OK || status == CELLA_KEY_ISV_SVN);
        else if (at < PLATFORM_VERSION || at >= IDENTITY)
            assert_status(status, CELLA_VAULT_OTHER_SIGNER);
        else if (at < MASKS)
            assert_true(status == CELLA_OK || status == CELLA_KEY_CPU_SVN);
        else if (at < FLAGS)
            assert_status(status, CELLA_OK);
        else
            assert_true(status == CELLA_VAULT_OTHER_SIGNER || status == CELLA_DAMAGED);
    }
    end(&party);
}

static void the_worked_example_gives_its_key(void **state) {
    static const char file[] = "machine-key/example.txt";
    const char *path = fixture_create(*state, "m");
    test_write_file(test_path(*state, "m/machine"), test_vector("sim-machine/machine.bin"));
    struct party party = {.settings = {.key_policy = CELLA_VAULT_KEYS_SIGNER}};
    party.machine = fixture_open(path);
    party.identity = (struct cella_machine_identity){.flags = 5, .xfrm = 7, .isv_prod_id = 7, .isv_svn = 3};
    memset(party.identity.code_hash, 0x11, 32);
    memset(party.identity.code_signer, 0x22, 32);
    enter(&party);
    uint8_t key[CELLA_ROOT_KEY_SIZE];
    bool outdated = true;
    assert_status(open_info(test_vector_field(file, "info"), key, &outdated), CELLA_OK);
    assert_bytes(CELLA_BYTES(key, sizeof key), test_vector_field(file, "root_key"));
    assert_false(outdated);
    end(&party);
}

static const struct cella_freshness_source *register_of = &cella_machine_freshness;

/* Owners of epoch n leave a mark of bytes n. */
static uint64_t read_register(void) {
    uint64_t epoch = 99;
    uint8_t mark[CELLA_MARK_SIZE];
    assert_status(register_of->read(register_of->context, vault_id, &epoch, mark, &error), CELLA_OK);
    for (size_t i = 0; i < sizeof mark; i++)
        assert_int_equal(mark[i], epoch);
    return epoch;
}

static enum cella_status acquire(uint64_t epoch) {
    uint8_t mark[CELLA_MARK_SIZE];
    memset(mark, (int)epoch, sizeof mark);
    return register_of->acquire(register_of->context, vault_id, epoch, mark, &error);
}

static enum cella_status advance(uint64_t epoch) {
    struct cella_head head = {.epoch = epoch, .version = 5};
    return register_of->advance(register_of->context, vault_id, &head, &error);
}

static void the_register_goes_from_owner_to_owner(void **state) {
    const char *path = fixture_create(*state, "m");
    struct party first, second;
    assert_false(register_of->guards_heads);
    begin(&first, path, &image, CELLA_VAULT_KEYS_SIGNER);
    assert_status(register_of->create(register_of->context, vault_id, &error), CELLA_OK);
    assert_int_equal(read_register(), 0);
    assert_status(acquire(1), CELLA_OK);
    assert_int_equal(read_register(), 1);
    assert_status(advance(1), CELLA_OK);
    begin(&second, path, &image, CELLA_VAULT_KEYS_SIGNER);
    assert_status(acquire(2), CELLA_OK);
    assert_status(advance(2), CELLA_OK);
    enter(&first);
    assert_status(advance(1), CELLA_FENCED);
    end(&first);
    end(&second);
}

static void of_two_who_acquire_one_epoch_one_is_fenced_and_changes_nothing(void **state) {
    struct party party;
    uint8_t mark[CELLA_MARK_SIZE];
    begin(&party, fixture_create(*state, "m"), &image, CELLA_VAULT_KEYS_SIGNER);
    assert_status(register_of->create(register_of->context, vault_id, &error), CELLA_OK);
    assert_status(acquire(1), CELLA_OK);
    memset(mark, 9, sizeof mark);
    assert_status(register_of->acquire(register_of->context, vault_id, 1, mark, &error), CELLA_FENCED);
    assert_status(acquire(3), CELLA_FENCED);
    assert_int_equal(read_register(), 1);
    assert_status(acquire(0), CELLA_ARGUMENT);
    assert_int_equal(read_register(), 1);
    end(&party);
}

static void a_head_of_any_other_epoch_is_fenced(void **state) {
    struct party party;
    begin(&party, fixture_create(*state, "m"), &image, CELLA_VAULT_KEYS_SIGNER);
    assert_status(register_of->create(register_of->context, vault_id, &error), CELLA_OK);
    assert_status(acquire(1), CELLA_OK);
    assert_status(advance(0), CELLA_FENCED);
    assert_status(advance(2), CELLA_FENCED);
    assert_status(advance(1), CELLA_OK);
    end(&party);
}

static void elsewhere_there_is_no_register(void **state) {
    struct party party;
    uint64_t epoch;
    uint8_t mark[CELLA_MARK_SIZE];
    begin(&party, fixture_create(*state, "m"), &image, CELLA_VAULT_KEYS_SIGNER);
    assert_status(register_of->create(register_of->context, vault_id, &error), CELLA_OK);
    assert_status(register_of->create(register_of->context, vault_id, &error), CELLA_EXISTS);
    end(&party);
    begin(&party, fixture_create(*state, "other"), &image, CELLA_VAULT_KEYS_SIGNER);
    assert_status(register_of->read(register_of->context, vault_id, &epoch, mark, &error), CELLA_NO_COUNTER);
    assert_status(acquire(1), CELLA_NO_COUNTER);
    assert_status(advance(0), CELLA_NO_COUNTER);
    end(&party);
}

static void a_machine_without_counters_is_said_to_have_none(void **state) {
    uint64_t epoch;
    uint8_t mark[CELLA_MARK_SIZE];
    leaf_machine_use(NULL, NULL);
    assert_status(register_of->create(register_of->context, vault_id, &error), CELLA_UNSUPPORTED);
    assert_non_null(strstr(error.message, "no counters"));
    assert_status(register_of->read(register_of->context, vault_id, &epoch, mark, &error), CELLA_UNSUPPORTED);
    assert_status(acquire(1), CELLA_UNSUPPORTED);
}

int main(void) {
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, test_folder_setup, test_folder_teardown)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_key_is_found_again_by_its_info),
        WITH_FOLDER(each_key_is_another_one),
        WITH_FOLDER(a_later_image_of_the_product_finds_it_under_the_signers_policy_only),
        WITH_FOLDER(others_are_refused_by_name),
        WITH_FOLDER(others_that_claim_it_find_another_key),
        WITH_FOLDER(another_machine_finds_another_key),
        WITH_FOLDER(a_key_of_the_other_policy_is_refused_by_name),
        WITH_FOLDER(a_key_of_an_older_platform_version_opens_and_is_outdated),
        WITH_FOLDER(a_key_of_an_older_security_version_opens_and_is_outdated),
        WITH_FOLDER(an_info_of_another_size_is_refused),
        WITH_FOLDER(no_changed_info_gives_the_key_and_only_versions_and_id_may_differ_at_all),
        WITH_FOLDER(the_worked_example_gives_its_key),
        WITH_FOLDER(the_register_goes_from_owner_to_owner),
        WITH_FOLDER(of_two_who_acquire_one_epoch_one_is_fenced_and_changes_nothing),
        WITH_FOLDER(a_head_of_any_other_epoch_is_fenced),
        WITH_FOLDER(elsewhere_there_is_no_register),
        cmocka_unit_test(a_machine_without_counters_is_said_to_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
