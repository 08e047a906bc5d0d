/* EINIT: the accepted launch and each reason to refuse one. */
#include "fixture.h"
#include <string.h>

static const struct fixture_image image = {.signer = SIGNER_ONE, .code = 1, .isv_prod_id = 7, .isv_svn = 3};

static void expect(void **state, const struct cella_machine_launch *launch, enum cella_status expected) {
    struct cella_machine *machine = fixture_open(fixture_create(*state, "m"));
    struct cella_machine_identity identity;
    memset(&identity, 0x5a, sizeof identity);
    struct cella_machine_identity untouched = identity;
    assert_status(cella_machine_launch(machine, launch, &identity, NULL), expected);
    if (expected != CELLA_OK)
        assert_memory_equal(&identity, &untouched, sizeof identity);
    cella_machine_free(machine);
}

static void a_signed_image_gets_the_identity_that_was_measured_and_signed(void **state) {
    struct cella_machine *machine = fixture_open(fixture_create(*state, "m"));
    struct cella_machine_identity identity = fixture_identity(machine, &image);
    const struct cella_machine_launch launch = fixture_launch(&image);
    struct cella_sigstruct signature;
    uint8_t signer[32];
    assert_status(cella_sigstruct_read(CELLA_BYTES(launch.sigstruct, CELLA_SIGSTRUCT_SIZE), &signature, NULL),
                  CELLA_OK);
    cella_sigstruct_code_signer(&signature, signer);
    assert_memory_equal(identity.code_hash, launch.code_hash, 32);
    assert_memory_equal(identity.code_signer, signer, 32);
    assert_int_equal(identity.isv_prod_id, 7);
    assert_int_equal(identity.isv_svn, 3);
    assert_int_equal(identity.flags, CELLA_ATTRIBUTE_INIT | CELLA_ATTRIBUTE_MODE64BIT);
    assert_int_equal(identity.xfrm, CELLA_XFRM_LEGACY);
    assert_int_equal(identity.misc_select, 0);
    cella_machine_free(machine);
}

static void pages_other_than_the_signed_ones_are_refused(void **state) {
    struct cella_machine_launch launch = fixture_launch(&image);
    launch.code_hash[31] ^= 1;
    expect(state, &launch, CELLA_LAUNCH_MEASUREMENT);
}

static void a_changed_signature_is_refused(void **state) {
    struct cella_machine_launch launch = fixture_launch(&image);
    uint8_t bytes[CELLA_SIGSTRUCT_SIZE];
    memcpy(bytes, launch.sigstruct, sizeof bytes);
    bytes[1026] ^= 1; /* ISVSVN, a signed field */
    launch.sigstruct = bytes;
    expect(state, &launch, CELLA_IMAGE_SIGNATURE);
}

static void bytes_that_are_no_sigstruct_are_refused(void **state) {
    static const uint8_t zeros[CELLA_SIGSTRUCT_SIZE];
    struct cella_machine_launch launch = fixture_launch(&image);
    launch.sigstruct = zeros;
    expect(state, &launch, CELLA_DAMAGED);
}

static void debug_must_be_as_it_was_signed(void **state) {
    struct fixture_image debug_image = image;
    debug_image.extra_flags = CELLA_ATTRIBUTE_DEBUG;
    struct cella_machine_launch launch = fixture_launch(&debug_image);
    expect(state, &launch, CELLA_OK);
    launch = fixture_launch(&image);
    launch.flags |= CELLA_ATTRIBUTE_DEBUG;
    test_folder_remove(*state);
    test_folder_make(*state);
    expect(state, &launch, CELLA_LAUNCH_ATTRIBUTES);
}

static void no_image_gets_the_attributes_of_the_machines_own_enclaves(void **state) {
    static const uint64_t refused[] = {CELLA_ATTRIBUTE_PROVISIONKEY, CELLA_ATTRIBUTE_EINITTOKEN_KEY,
                                       CELLA_ATTRIBUTE_INIT, UINT64_C(0x80), UINT64_C(1) << 40};
    struct cella_machine *machine = fixture_open(fixture_create(*state, "m"));
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct cella_machine_identity identity;
        struct cella_machine_launch launch = fixture_launch(&image);
        launch.flags |= refused[i];
        assert_status(cella_machine_launch(machine, &launch, &identity, NULL), CELLA_LAUNCH_ATTRIBUTES);
    }
    cella_machine_free(machine);
}

static void xfrm_bits_may_differ_only_where_the_signature_leaves_them_free(void **state) {
    struct cella_machine *machine = fixture_open(fixture_create(*state, "m"));
    struct cella_machine_identity identity;
    struct cella_machine_launch launch = fixture_launch(&image);
    launch.xfrm = 0x07; /* AVX */
    assert_status(cella_machine_launch(machine, &launch, &identity, NULL), CELLA_OK);
    assert_int_equal(identity.xfrm, 0x07);
    launch.xfrm = 0x203; /* PKRU: neither free nor known */
    assert_status(cella_machine_launch(machine, &launch, &identity, NULL), CELLA_LAUNCH_ATTRIBUTES);
    launch.xfrm = 0x01; /* SSE is not optional */
    assert_status(cella_machine_launch(machine, &launch, &identity, NULL), CELLA_LAUNCH_ATTRIBUTES);
    launch.xfrm = CELLA_XFRM_LEGACY;
    launch.misc_select = 1;
    assert_status(cella_machine_launch(machine, &launch, &identity, NULL), CELLA_LAUNCH_ATTRIBUTES);
    cella_machine_free(machine);
}

static void statuses_have_the_codes_of_the_manual(void **state) {
    assert_int_equal(cella_machine_sgx_error(CELLA_OK), 0);
    assert_int_equal(cella_machine_sgx_error(CELLA_LAUNCH_ATTRIBUTES), 2);
    assert_int_equal(cella_machine_sgx_error(CELLA_LAUNCH_MEASUREMENT), 4);
    assert_int_equal(cella_machine_sgx_error(CELLA_IMAGE_SIGNATURE), 8);
    assert_int_equal(cella_machine_sgx_error(CELLA_KEY_CPU_SVN), 32);
    assert_int_equal(cella_machine_sgx_error(CELLA_KEY_ISV_SVN), 64);
    assert_int_equal(cella_machine_sgx_error(CELLA_KEY_ATTRIBUTE), 2);
    assert_int_equal(cella_machine_sgx_error(CELLA_KEY_NAME), 256);
    assert_int_equal(cella_machine_sgx_error(CELLA_IO), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, test_folder_setup, test_folder_teardown)
        WITH_FOLDER(a_signed_image_gets_the_identity_that_was_measured_and_signed),
        WITH_FOLDER(pages_other_than_the_signed_ones_are_refused),
        WITH_FOLDER(a_changed_signature_is_refused),
        WITH_FOLDER(bytes_that_are_no_sigstruct_are_refused),
        WITH_FOLDER(debug_must_be_as_it_was_signed),
        WITH_FOLDER(no_image_gets_the_attributes_of_the_machines_own_enclaves),
        WITH_FOLDER(xfrm_bits_may_differ_only_where_the_signature_leaves_them_free),
        cmocka_unit_test(statuses_have_the_codes_of_the_manual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
