/* EGETKEY and EREPORT: every access rule accepted and refused, and what a key depends on. */
#include "fixture.h"
#include "crypto/cmac.h"
#include <string.h>

static const struct fixture_image image = {.signer = SIGNER_ONE, .code = 1, .isv_prod_id = 7, .isv_svn = 3};
static const struct fixture_request by_signer = {.key_name = CELLA_KEY_NAME_SEAL,
                                                 .key_policy = CELLA_KEY_POLICY_MRSIGNER,
                                                 .isv_svn = 3,
                                                 .flags_mask = UINT64_MAX,
                                                 .xfrm_mask = 0,
                                                 .misc_mask = UINT32_MAX};
static const struct fixture_request by_code = {.key_name = CELLA_KEY_NAME_SEAL,
                                               .key_policy = CELLA_KEY_POLICY_MRENCLAVE,
                                               .isv_svn = 3,
                                               .flags_mask = UINT64_MAX};

struct key {
    uint8_t bytes[CELLA_MACHINE_KEY_SIZE];
};

static enum cella_status try_key(struct cella_machine *machine, const struct cella_machine_identity *identity,
                                 const struct fixture_request *from, struct key *ret_key) {
    uint8_t request[CELLA_KEY_REQUEST_SIZE];
    fixture_key_request(from, request);
    return cella_machine_key(machine, identity, request, ret_key->bytes, NULL);
}

static struct key get_key(struct cella_machine *machine, const struct cella_machine_identity *identity,
                          const struct fixture_request *from) {
    struct key key;
    assert_status(try_key(machine, identity, from, &key), CELLA_OK);
    return key;
}

#define assert_same(left, right)  assert_memory_equal((left).bytes, (right).bytes, CELLA_MACHINE_KEY_SIZE)
#define assert_other(left, right) assert_memory_not_equal((left).bytes, (right).bytes, CELLA_MACHINE_KEY_SIZE)

/* A machine, and an identity on it. */
struct setting {
    struct cella_machine *machine;
    struct cella_machine_identity identity;
};

static struct setting set_up(void **state, const struct fixture_image *of) {
    struct setting setting = {.machine = fixture_open(fixture_create(*state, "m"))};
    setting.identity = fixture_identity(setting.machine, of);
    return setting;
}

static void the_same_request_gives_the_same_key_after_reopening(void **state) {
    const char *path = fixture_create(*state, "m");
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    struct key first = get_key(machine, &identity, &by_code);
    cella_machine_free(machine);
    machine = fixture_open(path);
    assert_same(first, get_key(machine, &identity, &by_code));
    cella_machine_free(machine);
}

static void two_machines_give_the_same_image_different_keys(void **state) {
    struct cella_machine *one = fixture_open(fixture_create(*state, "one"));
    struct cella_machine *two = fixture_open(fixture_create(*state, "two"));
    struct cella_machine_identity identity = fixture_identity(one, &image);
    assert_other(get_key(one, &identity, &by_code), get_key(two, &identity, &by_code));
    assert_other(get_key(one, &identity, &by_signer), get_key(two, &identity, &by_signer));
    cella_machine_free(one);
    cella_machine_free(two);
}

static void a_key_by_signer_is_shared_by_images_of_that_signer_and_product_alone(void **state) {
    struct setting setting = set_up(state, &image);
    struct fixture_image newer = image, stranger = image, product = image;
    newer.code = 2;
    stranger.signer = SIGNER_TWO;
    product.isv_prod_id = 8;
    struct cella_machine_identity other_code = fixture_identity(setting.machine, &newer);
    struct cella_machine_identity other_signer = fixture_identity(setting.machine, &stranger);
    struct cella_machine_identity other_product = fixture_identity(setting.machine, &product);
    struct key key = get_key(setting.machine, &setting.identity, &by_signer);
    assert_same(key, get_key(setting.machine, &other_code, &by_signer));
    assert_other(key, get_key(setting.machine, &other_signer, &by_signer));
    assert_other(key, get_key(setting.machine, &other_product, &by_signer));
    cella_machine_free(setting.machine);
}

static void a_key_by_code_is_for_that_code_alone(void **state) {
    struct setting setting = set_up(state, &image);
    struct fixture_image newer = image;
    newer.code = 2;
    struct cella_machine_identity other_code = fixture_identity(setting.machine, &newer);
    assert_other(get_key(setting.machine, &setting.identity, &by_code),
                 get_key(setting.machine, &other_code, &by_code));
    cella_machine_free(setting.machine);
}

static void an_older_security_version_is_given_and_a_newer_one_refused(void **state) {
    struct setting setting = set_up(state, &image);
    struct fixture_request older = by_signer, newer = by_signer;
    struct fixture_image old_image = image;
    struct key key;
    older.isv_svn = 2;
    newer.isv_svn = 4;
    old_image.isv_svn = 2;
    struct cella_machine_identity old_identity = fixture_identity(setting.machine, &old_image);
    assert_same(get_key(setting.machine, &setting.identity, &older),
                get_key(setting.machine, &old_identity, &older));
    assert_other(get_key(setting.machine, &setting.identity, &older),
                 get_key(setting.machine, &setting.identity, &by_signer));
    assert_status(try_key(setting.machine, &setting.identity, &newer, &key), CELLA_KEY_ISV_SVN);
    assert_status(try_key(setting.machine, &old_identity, &by_signer, &key), CELLA_KEY_ISV_SVN);
    cella_machine_free(setting.machine);
}

static void a_raised_platform_opens_old_state_and_a_lowered_one_refuses_new(void **state) {
    const char *path = fixture_create(*state, "m");
    uint8_t at_three[CELLA_CPU_SVN_SIZE], at_four[CELLA_CPU_SVN_SIZE];
    struct fixture_request request = by_code;
    struct key key;
    struct cella_machine *machine = fixture_open(path);
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    cella_machine_cpu_svn(machine, at_three);
    request.cpu_svn = at_three;
    struct key old = get_key(machine, &identity, &request);
    cella_machine_free(machine);
    fixture_set_version(path, 4);
    machine = fixture_open(path);
    cella_machine_cpu_svn(machine, at_four);
    assert_same(old, get_key(machine, &identity, &request));
    request.cpu_svn = at_four;
    assert_other(old, get_key(machine, &identity, &request));
    cella_machine_free(machine);
    fixture_set_version(path, 3);
    machine = fixture_open(path);
    assert_status(try_key(machine, &identity, &request, &key), CELLA_KEY_CPU_SVN);
    cella_machine_free(machine);
}

static void one_component_above_the_platform_is_enough_to_refuse(void **state) {
    struct setting setting = set_up(state, &image);
    uint8_t cpu_svn[CELLA_CPU_SVN_SIZE];
    struct key key;
    for (size_t i = 0; i < sizeof cpu_svn; i++) {
        struct fixture_request request = by_code;
        cella_machine_cpu_svn(setting.machine, cpu_svn);
        if (cpu_svn[i] == UINT8_MAX)
            continue;
        cpu_svn[i]++;
        request.cpu_svn = cpu_svn;
        assert_status(try_key(setting.machine, &setting.identity, &request, &key), CELLA_KEY_CPU_SVN);
    }
    cella_machine_free(setting.machine);
}

static void attributes_count_as_far_as_the_request_masks_them_in(void **state) {
    struct setting setting = set_up(state, &image);
    struct cella_machine_identity avx = setting.identity;
    struct fixture_request with_xfrm = by_code;
    avx.xfrm |= 4;
    with_xfrm.xfrm_mask = UINT64_MAX;
    assert_same(get_key(setting.machine, &setting.identity, &by_code),
                get_key(setting.machine, &avx, &by_code));
    assert_other(get_key(setting.machine, &setting.identity, &with_xfrm),
                 get_key(setting.machine, &avx, &with_xfrm));
    /* The mask itself is an input too. */
    assert_other(get_key(setting.machine, &setting.identity, &by_code),
                 get_key(setting.machine, &setting.identity, &with_xfrm));
    cella_machine_free(setting.machine);
}

static void debug_always_counts(void **state) {
    struct setting setting = set_up(state, &image);
    struct fixture_image debug_image = image;
    struct fixture_request unmasked = by_signer;
    debug_image.extra_flags = CELLA_ATTRIBUTE_DEBUG;
    unmasked.flags_mask = 0;
    struct cella_machine_identity debug_identity = fixture_identity(setting.machine, &debug_image);
    assert_other(get_key(setting.machine, &setting.identity, &unmasked),
                 get_key(setting.machine, &debug_identity, &unmasked));
    cella_machine_free(setting.machine);
}

static void misc_mask_key_id_and_policy_are_inputs(void **state) {
    struct setting setting = set_up(state, &image);
    struct fixture_request misc = by_code, id = by_code, both = by_code;
    misc.misc_mask = UINT32_MAX;
    id.key_id = 1;
    both.key_policy = CELLA_KEY_POLICY_MRENCLAVE | CELLA_KEY_POLICY_MRSIGNER;
    struct key key = get_key(setting.machine, &setting.identity, &by_code);
    assert_other(key, get_key(setting.machine, &setting.identity, &misc));
    assert_other(key, get_key(setting.machine, &setting.identity, &id));
    assert_other(key, get_key(setting.machine, &setting.identity, &both));
    assert_other(key, get_key(setting.machine, &setting.identity, &by_signer));
    cella_machine_free(setting.machine);
}

static void keys_of_other_names_are_refused(void **state) {
    struct setting setting = set_up(state, &image);
    struct fixture_request request = by_code;
    struct key key;
    for (uint16_t name = 0; name < CELLA_KEY_NAME_REPORT; name++) {
        request.key_name = name;
        assert_status(try_key(setting.machine, &setting.identity, &request, &key), CELLA_KEY_ATTRIBUTE);
    }
    request.key_name = 5;
    assert_status(try_key(setting.machine, &setting.identity, &request, &key), CELLA_KEY_NAME);
    request.key_name = UINT16_MAX;
    assert_status(try_key(setting.machine, &setting.identity, &request, &key), CELLA_KEY_NAME);
    cella_machine_free(setting.machine);
}

static void reserved_bytes_and_policy_bits_are_refused(void **state) {
    struct setting setting = set_up(state, &image);
    uint8_t request[CELLA_KEY_REQUEST_SIZE], key[CELLA_MACHINE_KEY_SIZE];
    static const size_t reserved[] = {6, 7, 76, 77, 78, 300, 511};
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        fixture_key_request(&by_code, request);
        request[reserved[i]] = 1;
        assert_status(cella_machine_key(setting.machine, &setting.identity, request, key, NULL),
                      CELLA_KEY_REQUEST);
    }
    for (unsigned bit = 2; bit < 16; bit++) {
        struct fixture_request policy = by_code;
        policy.key_policy = (uint16_t)(policy.key_policy | 1u << bit);
        fixture_key_request(&policy, request);
        assert_status(cella_machine_key(setting.machine, &setting.identity, request, key, NULL),
                      CELLA_KEY_REQUEST);
    }
    cella_machine_free(setting.machine);
}

/* TARGETINFO of an enclave, by the manual's offsets. */
static void name_target(const struct cella_machine_identity *identity, uint8_t out[CELLA_TARGET_INFO_SIZE]) {
    memset(out, 0, CELLA_TARGET_INFO_SIZE);
    memcpy(out, identity->code_hash, 32);
    for (unsigned i = 0; i < 8; i++) {
        out[32 + i] = (uint8_t)(identity->flags >> 8 * i);
        out[40 + i] = (uint8_t)(identity->xfrm >> 8 * i);
    }
}

/* What an enclave does to check a report that is for it. */
static bool verifies(struct cella_machine *machine, const struct cella_machine_identity *identity,
                     const uint8_t report[CELLA_REPORT_SIZE]) {
    uint8_t request[CELLA_KEY_REQUEST_SIZE], code[CELLA_CMAC_SIZE];
    struct key key;
    const struct fixture_request report_key = {.key_name = CELLA_KEY_NAME_REPORT};
    fixture_key_request(&report_key, request);
    memcpy(request + 40, report + 384, 32);
    assert_status(cella_machine_key(machine, identity, request, key.bytes, NULL), CELLA_OK);
    cella_cmac(key.bytes, CELLA_BYTES(report, CELLA_REPORT_BODY_SIZE), code);
    return memcmp(code, report + 416, sizeof code) == 0;
}

static void a_report_verifies_for_its_target_on_its_machine_alone(void **state) {
    struct cella_machine *machine = fixture_open(fixture_create(*state, "m"));
    struct cella_machine *elsewhere = fixture_open(fixture_create(*state, "elsewhere"));
    struct fixture_image target_image = image, third_image = image;
    target_image.code = 2;
    third_image.code = 3;
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    struct cella_machine_identity target = fixture_identity(machine, &target_image);
    struct cella_machine_identity third = fixture_identity(machine, &third_image);
    uint8_t target_info[CELLA_TARGET_INFO_SIZE], report[CELLA_REPORT_SIZE];
    name_target(&target, target_info);
    struct cella_bytes data = test_pattern(CELLA_REPORT_DATA_SIZE, 9);
    assert_status(cella_machine_report(machine, &identity, target_info, data.data, report, NULL), CELLA_OK);
    assert_true(verifies(machine, &target, report));
    assert_false(verifies(machine, &third, report));
    assert_false(verifies(machine, &identity, report));
    assert_false(verifies(elsewhere, &target, report));
    report[100] ^= 1;
    assert_false(verifies(machine, &target, report));
    cella_machine_free(machine);
    cella_machine_free(elsewhere);
}

static void a_report_has_the_manuals_layout(void **state) {
    struct setting setting = set_up(state, &image);
    uint8_t target_info[CELLA_TARGET_INFO_SIZE], report[CELLA_REPORT_SIZE], cpu_svn[CELLA_CPU_SVN_SIZE];
    static const uint8_t zeros[64];
    struct cella_bytes data = test_pattern(CELLA_REPORT_DATA_SIZE, 9);
    assert_status(cella_machine_target_info(setting.machine, target_info, NULL), CELLA_OK);
    assert_status(
        cella_machine_report(setting.machine, &setting.identity, target_info, data.data, report, NULL),
        CELLA_OK);
    cella_machine_cpu_svn(setting.machine, cpu_svn);
    assert_memory_equal(report, cpu_svn, sizeof cpu_svn);
    assert_memory_equal(report + 16, zeros, 32);                      /* MISCSELECT to ISVEXTPRODID */
    assert_memory_equal(report + 48, "\x05\0\0\0\0\0\0\0\x03", 9);    /* ATTRIBUTES */
    assert_memory_equal(report + 64, setting.identity.code_hash, 32); /* MRENCLAVE */
    assert_memory_equal(report + 96, zeros, 32);
    assert_memory_equal(report + 128, setting.identity.code_signer, 32);
    assert_memory_equal(report + 160, zeros, 32);
    assert_memory_equal(report + 192, zeros, 64); /* CONFIGID */
    assert_memory_equal(report + 256, "\x07\0\x03\0\0\0", 6);
    assert_memory_equal(report + 262, zeros, 58);
    assert_memory_equal(report + 320, data.data, data.size);
    cella_machine_free(setting.machine);
}

static void a_target_info_with_reserved_bytes_is_refused(void **state) {
    struct setting setting = set_up(state, &image);
    uint8_t target_info[CELLA_TARGET_INFO_SIZE], report[CELLA_REPORT_SIZE];
    static const size_t reserved[] = {48, 49, 56, 63, 128, 511};
    struct cella_bytes data = test_pattern(CELLA_REPORT_DATA_SIZE, 9);
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        name_target(&setting.identity, target_info);
        target_info[reserved[i]] = 1;
        assert_status(
            cella_machine_report(setting.machine, &setting.identity, target_info, data.data, report, NULL),
            CELLA_ARGUMENT);
    }
    cella_machine_free(setting.machine);
}

int main(void) {
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, test_folder_setup, test_folder_teardown)
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(the_same_request_gives_the_same_key_after_reopening),
        WITH_FOLDER(two_machines_give_the_same_image_different_keys),
        WITH_FOLDER(a_key_by_signer_is_shared_by_images_of_that_signer_and_product_alone),
        WITH_FOLDER(a_key_by_code_is_for_that_code_alone),
        WITH_FOLDER(an_older_security_version_is_given_and_a_newer_one_refused),
        WITH_FOLDER(a_raised_platform_opens_old_state_and_a_lowered_one_refuses_new),
        WITH_FOLDER(one_component_above_the_platform_is_enough_to_refuse),
        WITH_FOLDER(attributes_count_as_far_as_the_request_masks_them_in),
        WITH_FOLDER(debug_always_counts),
        WITH_FOLDER(misc_mask_key_id_and_policy_are_inputs),
        WITH_FOLDER(keys_of_other_names_are_refused),
        WITH_FOLDER(reserved_bytes_and_policy_bits_are_refused),
        WITH_FOLDER(a_report_verifies_for_its_target_on_its_machine_alone),
        WITH_FOLDER(a_report_has_the_manuals_layout),
        WITH_FOLDER(a_target_info_with_reserved_bytes_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
